"""JSON in the one form that is signed and hashed, and the careful reading of it. Decides nothing about its content."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from .errors import DocumentError

# The largest document of ours is an answer with a chain of four, some 6 kB; Consul's own limit is 512 kB.
MAX_DOCUMENT_BYTES = 65_536


def canonical(document: Mapping[str, Any]) -> bytes:
    """Sorted keys, no spaces, UTF-8."""
    return orjson.dumps(dict(document), option=orjson.OPT_SORT_KEYS)


def sha256(data: bytes) -> str:
    """`sha256:` and 64 hex digits."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def encode_base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def decode_base64(text: str) -> bytes:
    """Raises ValueError for anything that is not base64 as `encode_base64` writes it."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"not base64: {error}") from error
    if encode_base64(data) != text:
        # Python ignores bits of the last letter: two texts would be one value.
        raise ValueError("not base64 in its one form")
    return data


def parse_object(value: bytes) -> dict[str, Any]:
    """The JSON object in `value`. Raises DocumentError for anything else, and for more than MAX_DOCUMENT_BYTES."""
    if len(value) > MAX_DOCUMENT_BYTES:
        raise DocumentError(f"it is {len(value)} bytes long, more than {MAX_DOCUMENT_BYTES}")
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise DocumentError(f"it is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise DocumentError("it is no JSON object")
    return document


class Fields:
    """Typed reading of a JSON object's fields; a missing field or another type is a DocumentError that names it."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def text(self, name: str) -> str:
        value = self._document.get(name)
        if not isinstance(value, str):
            raise DocumentError(f'its field "{name}" is not a string')
        return value

    def integer(self, name: str) -> int:
        value = self._document.get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise DocumentError(f'its field "{name}" is not an integer')
        return value

    def data(self, name: str) -> bytes:
        """Bytes, base64 in the document."""
        try:
            return decode_base64(self.text(name))
        except ValueError as error:
            raise DocumentError(f'its field "{name}" is {error}') from error

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._document.get(name)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise DocumentError(f'its field "{name}" is not a list of strings')
        return tuple(value)

    def schema(self, supported: int) -> None:
        """Raises DocumentError unless the document is of this schema: a newer node's is not guessed at."""
        found = self.integer("schema")
        if found != supported:
            raise DocumentError(f"it is of schema {found}; this version reads {supported}")
