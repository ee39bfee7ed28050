"""Clients of bad manners in HTTP/2, as those of `floods`: frames that only cost, and windows that stay shut."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from itertools import repeat

from tests.support.floods import HOST, Endless, Held, Place, Secured, opened
from tests.support.frames import (
    ACK,
    CANCEL,
    END_HEADERS,
    END_STREAM,
    FRAME_BYTES,
    UNREAD_S,
    Http2,
    Kind,
    field,
    frame,
    get,
    head,
    indexed,
    post,
    setting,
    streams,
)

# The window a stream begins with.
INITIAL_WINDOW = 4
# Who answers streams without a window has done so in this time; some do not say even their head.
SETTLED_S = 2.0
# What both windows are before anything is said (RFC 9113 6.9.2).
WINDOW_BYTES = 65_535
# Given up after: who takes so many frames that mean nothing has no limit for them, and needs to hold nothing up.
FLOOD_BYTES = 4 << 20
# What is kept once and named again and again (RFC 7541 4.1: with 32 bytes it fills a table of 4 KiB).
ENTRY_BYTES = 4000


def connected(
    place: Place, count: int, settings: bytes = b"", secured: Secured | None = None
) -> list[Http2]:
    return [Http2(connection, settings) for connection in opened(place, count, secured)]


def stalled(place: Place, connections: int, count: int, secured: Secured | None = None) -> Held:
    """So many streams on each connection that ask for much, and none has a window; returns once all are answered that will be."""
    clients = connected(place, connections, setting(INITIAL_WINDOW, 0), secured)
    for client in clients:
        client.push(frame(Kind.SETTINGS, ACK))
        client.push(b"".join(get(stream, HOST, "/large") for stream in streams(count)))
    patience = SETTLED_S
    for client in clients:
        client.connection.settimeout(patience)
        try:
            for _ in range(count):
                client.until(Kind.HEADERS)
        except TimeoutError:
            # The others had as long to answer.
            patience = UNREAD_S
    return _held(clients)


def uploads(place: Place, connections: int, count: int) -> Held:
    """Bodies that nobody takes, of which as much is sent as the other side's windows say."""
    clients = connected(place, connections)
    for client in clients:
        client.push(b"".join(post(stream, HOST, "/hold") for stream in streams(count)))
        _fill(client, list(streams(count)))
    return _held(clients)


def _fill(client: Http2, filled: list[int]) -> None:
    """Sends until no window is left and none comes for a moment."""
    windows = dict.fromkeys([0, *filled], WINDOW_BYTES)
    client.connection.settimeout(UNREAD_S)
    with contextlib.suppress(TimeoutError):
        while (came := client.read()) is not None:
            if came.kind == Kind.WINDOW_UPDATE:
                windows[came.stream] += int.from_bytes(came.payload)
            elif came.kind == Kind.SETTINGS and not came.flags & ACK:
                _agree(client, came.payload, windows)
            for stream in filled:
                size = min(windows[0], windows[stream], FRAME_BYTES)
                if size > 0 and client.push(frame(Kind.DATA, 0, stream, bytes(size))):
                    windows[0] -= size
                    windows[stream] -= size


def _agree(client: Http2, payload: bytes, windows: dict[int, int]) -> None:
    """Takes the other side's settings, of which the window of a stream counts (RFC 9113 6.9.2)."""
    for at in range(0, len(payload), 6):
        if int.from_bytes(payload[at : at + 2]) == INITIAL_WINDOW:
            change = int.from_bytes(payload[at + 2 : at + 6]) - WINDOW_BYTES
            windows.update({name: size + change for name, size in windows.items() if name})
    client.push(frame(Kind.SETTINGS, ACK))


def rapid_reset(
    place: Place, connections: int, count: int = 1000, secured: Secured | None = None
) -> Held:
    """Ask and take back, again and again."""
    pairs = b"".join(
        get(stream, HOST, "/take") + frame(Kind.RST_STREAM, 0, stream, CANCEL)
        for stream in streams(count)
    )
    return _each(place, connections, [pairs], secured)


def made_you_reset(fault: Callable[[int], bytes]) -> Callable[[Place, int], Held]:
    """Ask, and break a rule of the stream, so that the other side takes it back (CVE-2025-8671)."""

    def flood(place: Place, connections: int, count: int = 1000) -> Held:
        asked = (get(stream, HOST, "/take") + fault(stream) for stream in streams(count))
        return _each(place, connections, [b"".join(asked)])

    return flood


def endless_head(piece: bytes) -> Endless:
    """A head that goes on and on in CONTINUATION frames."""
    begin = frame(Kind.HEADERS, END_STREAM, 1, head(HOST))
    more = frame(Kind.CONTINUATION, 0, 1, piece)

    def flood(place: Place, connections: int, secured: Secured | None = None) -> Held:
        return _each(place, connections, [begin, *_until_enough(more)], secured)

    return flood


def frames_of(made: Callable[[], bytes], begin: bytes = b"") -> Callable[[Place, int], Held]:
    """The same frame again and again; what the other side says is not read."""

    def flood(place: Place, connections: int) -> Held:
        return _each(place, connections, [begin, *_until_enough(made())])

    return flood


def many_fields(place: Place, connections: int, count: int = 100) -> Held:
    """Heads of thousands of short fields, each within a frame."""
    crumbs = field(b"cookie", b"a") * 1600
    asked = (_whole(stream, head(HOST) + crumbs) for stream in streams(count))
    return _each(place, connections, asked)


def bombs(place: Place, connections: int, count: int = 100) -> Held:
    """One large entry of the table, named as often as a frame has room for: a thousand times what was sent."""
    kept = head(HOST) + field(b"x-fill", b"a" * ENTRY_BYTES, is_kept=True)
    named = head(HOST) + indexed(62) * (FRAME_BYTES - 200)
    first, *others = streams(count)
    asked = [_whole(first, kept), *(_whole(stream, named) for stream in others)]
    return _each(place, connections, asked)


def _whole(stream: int, block: bytes) -> bytes:
    return frame(Kind.HEADERS, END_HEADERS | END_STREAM, stream, block)


def _until_enough(piece: bytes) -> Iterable[bytes]:
    """Some at a time, so that a connection that was cut is seen."""
    row = piece * max(1, 16_384 // len(piece))
    return repeat(row, FLOOD_BYTES // len(row))


def _each(
    place: Place, connections: int, pieces: Iterable[bytes], secured: Secured | None = None
) -> Held:
    """Sends the pieces on each connection until it takes no more, and reads nothing."""
    said = list(pieces)
    clients = connected(place, connections, secured=secured)
    for client in clients:
        all(client.push(piece) for piece in said)
    return _held(clients)


def _held(clients: list[Http2]) -> Held:
    return [client.connection for client in clients]


overflow = made_you_reset(lambda stream: frame(Kind.WINDOW_UPDATE, 0, stream, b"\x7f\xff\xff\xff"))
no_window = made_you_reset(lambda stream: frame(Kind.WINDOW_UPDATE, 0, stream, bytes(4)))
data_behind = made_you_reset(lambda stream: frame(Kind.DATA, 0, stream, b"behind the end"))
# What only costs: an upload that never has a byte, and control frames.
OPEN_UPLOAD = post(1, HOST, "/take")
EMPTY_DATA = frames_of(lambda: frame(Kind.DATA, 0, 1), OPEN_UPLOAD)
SETTINGS = frames_of(lambda: frame(Kind.SETTINGS, payload=setting(INITIAL_WINDOW, 65_535)))
PING = frames_of(lambda: frame(Kind.PING, payload=b"floodin!"))
PRIORITY = frames_of(lambda: frame(Kind.PRIORITY, 0, 3, b"\x00\x00\x00\x00\x10"))
WINDOW_UPDATE = frames_of(lambda: frame(Kind.WINDOW_UPDATE, 0, 0, b"\x00\x00\x00\x01"))
