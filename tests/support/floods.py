"""Clients of bad manners in HTTP/1.1 and TLS. Each opens what it opens, does its worst and gives what it still holds.

They know a place and a host, and no proxy: the tests and the bench send the same to whoever listens.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable, Iterable
from itertools import repeat
from typing import Protocol

from tests.support.frames import TIMEOUT_S, push

Place = tuple[str, int]
Held = list[socket.socket]
Secured = Callable[[socket.socket], socket.socket]
"""Speaks TLS over a connection, or gives it back as it is."""


class Endless(Protocol):
    """A flood that may come by TLS."""

    def __call__(self, place: Place, count: int, secured: Secured | None = None, /) -> Held: ...


# That of the bench; the tests take any.
HOST = "bench.test"
# How often each of many slow clients says one byte more.
SLOW_STEPS = 10
# What is given up after: nobody who takes so much of a head has a limit.
ENDLESS_BYTES = 4 << 20
# Of what is sent at once of something endless.
PIECE_BYTES = 65_536
# What a client that reads nothing has room for: the system's least.
NARROW_BYTES = 2048


def opened(
    place: Place,
    count: int,
    secured: Secured | None = None,
    *,
    first: bytes = b"",
    is_narrow: bool = False,
) -> Held:
    """Connections that say this and wait; `is_narrow`: with next to no room for what comes."""
    held: Held = []
    for _ in range(count):
        connection = socket.socket()
        connection.settimeout(TIMEOUT_S)
        if is_narrow:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, NARROW_BYTES)
        connection.connect(place)
        held.append(secured(connection) if secured else connection)
        _say(held[-1:], first)
    return held


def close(held: Iterable[socket.socket]) -> None:
    for connection in held:
        connection.close()


def slow_heads(place: Place, count: int, secured: Secured | None = None) -> Held:
    """Heads that come byte by byte, and never to their end."""
    began = f"GET / HTTP/1.1\r\nHost: {HOST}\r\nX-Slow: ".encode()
    held = opened(place, count, secured, first=began)
    for _ in range(SLOW_STEPS):
        _say(held, b"a")
    return held


def slow_bodies(place: Place, count: int, secured: Secured | None = None) -> Held:
    """Bodies that come byte by byte, and never to their end."""
    began = f"POST /take HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 1000000\r\n\r\n".encode()
    held = opened(place, count, secured, first=began)
    for _ in range(SLOW_STEPS):
        _say(held, b"a")
    return held


def slow_readers(place: Place, count: int, secured: Secured | None = None) -> Held:
    """Ask for much and read nothing of it."""
    asked = f"GET /large HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
    return opened(place, count, secured, first=asked, is_narrow=True)


def pipelined(place: Place, count: int) -> Held:
    """Ask again and again and read no answer, until nothing more is taken of their questions."""
    held: Held = []
    asked = f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode() * 100
    for _ in range(count):
        (connection,) = opened(place, 1, is_narrow=True)
        held.append(connection)
        push_all(connection, repeat(asked, ENDLESS_BYTES // len(asked)))
    return held


def endless(begin: bytes, piece: bytes) -> Endless:
    """Clients that begin so, and go on with the same piece until nobody takes it."""
    piece *= max(1, PIECE_BYTES // len(piece))

    def flood(place: Place, count: int, secured: Secured | None = None) -> Held:
        held = opened(place, count, secured, first=begin)
        for connection in held:
            push_all(connection, repeat(piece, ENDLESS_BYTES // len(piece)))
        return held

    return flood


def push_all(connection: socket.socket, pieces: Iterable[bytes]) -> None:
    """Sends until the other side takes no more, without reading."""
    all(push(connection, piece) for piece in pieces)


def half_handshakes(place: Place, count: int) -> Held:
    """Say hello and then nothing: the edge has signed and waits."""
    return opened(place, count, first=hello())


def part_of_a_hello(place: Place, count: int) -> Held:
    """Say half of a hello."""
    return opened(place, count, first=hello()[:100])


def no_tls(place: Place, count: int) -> Held:
    """Say what is no TLS: a record of the largest size that holds none, and its end never."""
    return opened(place, count, first=b"\x16\x03\x01\x40\x00" + b"\xff" * 1000)


def handshakes(place: Place, count: int) -> Held:
    """Whole handshakes, each of which ends at once."""
    context = trusting()
    for _ in range(count):
        close(opened(place, 1, context.wrap_socket))
    return []


def hello() -> bytes:
    """A client's first flight."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting().wrap_bio(incoming, outgoing, server_hostname=HOST)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def trusting(*protocols: str) -> ssl.SSLContext:
    """A client's side of TLS that believes any certificate, and offers these protocols."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(protocols)
    return context


def _say(held: Held, data: bytes) -> None:
    """To each; whose connection was cut has said it all."""
    for connection in held:
        with contextlib.suppress(ConnectionError):
            connection.sendall(data)
