"""What a call gives back, and the headers Consul's clients read. Decides nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. `document` goes as JSON (None: JSON's null), unless there are `raw` bytes."""

    document: Any = None
    status: int = 200
    raw: bytes | None = None
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self, *, is_pretty: bool) -> bytes:
        if self.raw is not None:
            return self.raw
        if is_pretty:
            return (json.dumps(self.document, indent=4, ensure_ascii=False) + "\n").encode()
        return orjson.dumps(self.document)


EMPTY = Answer(raw=b"", content_type="application/json; charset=utf-8")
"""200 without a body: what Consul's agent answers to a change."""


# What most reads carry that a server refused: nothing was read, so there is no index to wait from.
NOTHING_READ = (
    ("X-Consul-Index", "1"),
    ("X-Consul-KnownLeader", "false"),
    ("X-Consul-LastContact", "0"),
    ("X-Consul-Query-Backend", "blocking-query"),
)


def text(words: str, status: int = 200) -> Answer:
    return Answer(status=status, raw=words.encode(), content_type=TEXT)


def index_headers(index: int) -> dict[str, str]:
    """What a read that may be waited on carries. An index of 0 would make its reader ask without end."""
    return {
        "X-Consul-Index": str(max(1, index)),
        "X-Consul-KnownLeader": "true",
        "X-Consul-LastContact": "0",
        "X-Consul-Query-Backend": "blocking-query",
    }
