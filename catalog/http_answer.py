"""One answer of HTTP/1.1 (RFC 9112), read from bytes as they come. No I/O: whoever has the connection feeds it.

Strict: an answer whose end could be read in two ways is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

HEAD_BYTES = 64 * 1024
"""Consul's heads have some 400 bytes, the proxy's 120."""
LINE_BYTES = 1024
"""Of a chunk's size with its extensions, or of a trailer."""
LINE_END = b"\r\n"
HEX_DIGITS = frozenset(b"0123456789abcdefABCDEF")
NO_BODY = frozenset({204, 304})


class HttpBroken(Exception):  # noqa: N818 (says what the exchange is)
    """There is no answer, or none that can be read; `str()` is the cause in a few words."""

    def __init__(self, cause: str, *, is_unanswered: bool = False) -> None:
        """`is_unanswered`: the connection was closed before a byte of an answer, as one is that rested too long."""
        self.is_unanswered = is_unanswered
        super().__init__(cause)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer, whole. Names of `headers` are in lower case; of several of a name the first counts."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class AnswerReader:
    """`feed` what came until it gives the answer; `end` when the connection has ended. Good for one answer."""

    def __init__(self, limit: int) -> None:
        """`limit` is in bytes, of the body."""
        self.is_last = False
        """The connection can not be used again: it ends with this answer, or more came than was asked for."""
        self._limit = limit
        self._head = b""
        self._status = 0
        self._headers: dict[str, str] | None = None
        self._parts: list[bytes] = []
        self._length = 0
        self._left: int | None = None
        """Bytes of the body, or of the chunk, that are missing; None: all until the end of the connection."""
        self._is_chunked = False
        self._line = b""
        """A line between two chunks, as far as it came."""
        self._is_data_over = False
        """The chunk's bytes are there, and its line end is not."""
        self._is_trailer = False

    @property
    def has_begun(self) -> bool:
        """A byte of an answer came."""
        return self._headers is not None or bool(self._head)

    def feed(self, data: bytes) -> HttpAnswer | None:
        """The answer once it is whole. Raises HttpBroken."""
        while self._headers is None:
            self._head += data
            head, found, data = self._head.partition(b"\r\n\r\n")
            if len(head) > HEAD_BYTES:
                raise HttpBroken(f"a head of more than {HEAD_BYTES} bytes")
            if not found:
                return None
            self._head = b""
            self._begin(head)
        if self._is_chunked:
            return self._chunked(data)
        if self._left is not None and len(data) > self._left:
            self.is_last = True
            data = data[: self._left]
        self._take(data)
        return self._whole() if self._left == 0 else None

    def end(self) -> HttpAnswer:
        """The connection has ended in good order. Raises HttpBroken where the answer is not whole by that."""
        if self._headers is None or self._left is not None or self._is_chunked:
            raise HttpBroken("connection closed", is_unanswered=not self.has_begun)
        return self._whole()

    def _begin(self, head: bytes) -> None:
        """Reads a head; of an informational one nothing is kept."""
        first, *lines = head.decode("latin-1").split("\r\n")
        version, _, rest = first.partition(" ")
        status = rest[:3]
        if version not in ("HTTP/1.1", "HTTP/1.0") or not _is_number(status) or rest[3:4] > " ":
            raise HttpBroken("what answers does not speak HTTP")
        self._status = int(status)
        if 100 <= self._status < 200 and self._status != 101:
            return
        headers: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                raise HttpBroken("a head with a line that is none of HTTP")
            name, value = name.lower(), value.strip(" \t")
            if (
                name in ("content-length", "transfer-encoding")
                and headers.get(name, value) != value
            ):
                raise HttpBroken(f"two different {name}")
            headers.setdefault(name, value)
        self._headers = headers
        self._frame(headers, is_old=version == "HTTP/1.0")

    def _frame(self, headers: Mapping[str, str], *, is_old: bool) -> None:
        """How the body ends (RFC 9112 §6.3)."""
        length, coding = headers.get("content-length"), headers.get("transfer-encoding")
        connection = headers.get("connection", "").lower()
        self.is_last = "close" in connection or (is_old and "keep-alive" not in connection)
        if self._status in NO_BODY:
            self._left = 0
        elif coding is not None:
            if coding.lower() != "chunked" or length is not None or is_old:
                raise HttpBroken("a body that may end in two places")
            self._is_chunked, self._left = True, 0
        elif length is not None:
            if not _is_number(length):
                raise HttpBroken("a content-length that is no number")
            self._left = int(length)
            self._check(self._left)
        else:
            self.is_last = True

    def _take(self, data: bytes) -> None:
        if not data:
            return
        self._length += len(data)
        self._check(self._length)
        self._parts.append(data)
        if self._left is not None:
            self._left -= len(data)

    def _check(self, length: int) -> None:
        if length > self._limit:
            raise HttpBroken(f"an answer of more than {self._limit} bytes")

    def _chunked(self, data: bytes) -> HttpAnswer | None:
        while data:
            if self._left:
                part, data = data[: self._left], data[self._left :]
                self._take(part)
                self._is_data_over = not self._left
                continue
            line, found, data = (self._line + data).partition(LINE_END)
            if len(line) > LINE_BYTES:
                raise HttpBroken(f"a line of more than {LINE_BYTES} bytes between chunks")
            if not found:
                self._line = line
                return None
            self._line = b""
            if self._is_last_line(line):
                self.is_last = self.is_last or bool(data)
                return self._whole()
        return None

    def _is_last_line(self, line: bytes) -> bool:
        """Takes a line that stands between chunks; True where it ends the body."""
        if self._is_trailer:
            return not line
        if self._is_data_over:
            if line:
                raise HttpBroken("a chunk that is longer than it says")
            self._is_data_over = False
            return False
        size = line.partition(b";")[0].rstrip(b" \t")
        if not size or not HEX_DIGITS.issuperset(size):
            raise HttpBroken("a chunk whose size is no number")
        self._left = int(size, 16)
        self._check(self._length + self._left)
        self._is_trailer = not self._left
        return False

    def _whole(self) -> HttpAnswer:
        assert self._headers is not None  # a body comes behind its head
        parts = self._parts
        return HttpAnswer(
            self._status, self._headers, parts[0] if len(parts) == 1 else b"".join(parts)
        )


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
