"""HTTP/2 by hand (RFC 9113, RFC 7541): frames as a client of bad manners sends them. It may not know what it attacks."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from enum import IntEnum

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
# What every receiver takes in one frame (RFC 9113 4.2).
FRAME_BYTES = 16_384
ENHANCE_YOUR_CALM = 11
CANCEL = (8).to_bytes(4)
# A machine that is this busy answers nobody; a stall ends a test, not a wait.
TIMEOUT_S = 60.0
# For so long nothing is taken of what is sent: who reads at all has read by then.
UNREAD_S = 0.2


class Kind(IntEnum):
    """Types of frames (RFC 9113 6)."""

    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


END_STREAM = ACK = 0x1
END_HEADERS = 0x4


@dataclass(frozen=True, slots=True)
class Frame:
    """One that came."""

    kind: int
    flags: int
    stream: int
    payload: bytes


def push(connection: socket.socket, data: bytes) -> bool:
    """Sends without reading. False: the other side takes no more of it, or is gone."""
    patience = connection.gettimeout()
    connection.settimeout(UNREAD_S)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[connection.send(rest) :]
    except OSError:
        return False
    finally:
        connection.settimeout(patience)
    return True


def frame(kind: Kind, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    return b"".join(
        (len(payload).to_bytes(3), bytes((kind, flags)), stream.to_bytes(4), payload),
    )


def setting(name: int, value: int) -> bytes:
    """One line of a SETTINGS frame; 4 is the window a stream begins with."""
    return name.to_bytes(2) + value.to_bytes(4)


def field(name: bytes, value: bytes, *, is_kept: bool = False) -> bytes:
    """A field as it is, without Huffman; `is_kept`: the other side puts it into its table (RFC 7541 6.2)."""
    return (b"\x40" if is_kept else b"\x10") + _text(name) + _text(value)


def indexed(index: int) -> bytes:
    """A field of the tables, by number; 62 is what was kept last."""
    return bytes((0x80 | index,))


def head(host: str, path: str = "/", method: str = "GET") -> bytes:
    """The fields of a request."""
    pseudo = ((":method", method), (":scheme", "http"), (":path", path), (":authority", host))
    return b"".join(field(name.encode(), value.encode()) for name, value in pseudo)


def get(stream: int, host: str, path: str = "/") -> bytes:
    """A whole request."""
    return frame(Kind.HEADERS, END_HEADERS | END_STREAM, stream, head(host, path))


def post(stream: int, host: str, path: str = "/") -> bytes:
    """A request whose body follows."""
    return frame(Kind.HEADERS, END_HEADERS, stream, head(host, path, "POST"))


def streams(count: int) -> range:
    """The numbers of a client's first streams."""
    return range(1, 2 * count, 2)


class Http2:
    """A client's end of one connection, on which `settings` were sent."""

    def __init__(self, connection: socket.socket, settings: bytes = b"") -> None:
        self.connection = connection
        self._came = b""
        self.push(PREFACE + frame(Kind.SETTINGS, payload=settings))

    def push(self, data: bytes) -> bool:
        """Sends without reading. False: the other side takes no more of it, or is gone."""
        return push(self.connection, data)

    def read(self) -> Frame | None:
        """The next frame; None: there is none any more."""
        kept = self._more(9)
        if kept is None or (whole := self._more(9 + int.from_bytes(kept[:3]))) is None:
            return None
        self._came = self._came[len(whole) :]
        return Frame(whole[3], whole[4], int.from_bytes(whole[5:9]) & 0x7FFF_FFFF, whole[9:])

    def until(self, kind: Kind) -> Frame | None:
        """The next frame of a kind."""
        while (came := self.read()) is not None and came.kind != kind:
            pass
        return came

    def farewell(self) -> int | None:
        """The error the other side went with; None: it said none."""
        told = self.until(Kind.GOAWAY)
        return None if told is None else int.from_bytes(told.payload[4:8])

    def _more(self, count: int) -> bytes | None:
        while len(self._came) < count:
            try:
                came = self.connection.recv(65_536)
            except ConnectionError:
                return None
            if not came:
                return None
            self._came += came
        return self._came[:count]


def _text(value: bytes) -> bytes:
    return _integer(len(value), 7) + value


def _integer(value: int, bits: int) -> bytes:
    """RFC 7541 5.1, with the bits above left 0."""
    most = (1 << bits) - 1
    if value < most:
        return bytes((value,))
    value -= most
    coded = bytearray((most,))
    while value >= 128:
        coded.append(value % 128 | 128)
        value //= 128
    return bytes((*coded, value))
