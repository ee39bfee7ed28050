"""The names of what lies under meshnode/ca/ in Consul's KV; reads and writes nothing itself."""

from __future__ import annotations

import re

CA_PREFIX = "meshnode/ca/"
AUTHORITY_KEY = CA_PREFIX + "key"
ROOTS_KEY = CA_PREFIX + "roots"
SIGNER_KEY = CA_PREFIX + "signer"
REQUESTS_PREFIX = CA_PREFIX + "requests/"
ANSWERS_PREFIX = CA_PREFIX + "answers/"

# Consul's key segments as the whole mesh writes them. No leading dot: a service's name is a file name as well.
SEGMENT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,254}")


def is_segment(name: str) -> bool:
    """Whether a node or service of this name can stand in a key."""
    return SEGMENT.fullmatch(name) is not None


def request_key(node: str, service: str) -> str:
    return f"{REQUESTS_PREFIX}{node}/{service}"


def answer_key(node: str, service: str) -> str:
    return f"{ANSWERS_PREFIX}{node}/{service}"


def split_request_key(key: str) -> tuple[str, str] | None:
    """Node and service of a request's key; None for any other key."""
    return _split(key, REQUESTS_PREFIX)


def split_answer_key(key: str) -> tuple[str, str] | None:
    """Node and service of an answer's key; None for any other key."""
    return _split(key, ANSWERS_PREFIX)


def _split(key: str, prefix: str) -> tuple[str, str] | None:
    if not key.startswith(prefix):
        return None
    segments = key.removeprefix(prefix).split("/")
    if len(segments) != 2 or not all(is_segment(segment) for segment in segments):
        return None
    return segments[0], segments[1]
