"""Floods against the real proxy, alone: its memory is bounded under each, and who behaves is answered meanwhile.

Bounds are bytes of PSS, read from /proc while the flood holds what it has; each has its reason. Nothing is timed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.integration.flooded import Flooded, flooded
from tests.support import floods, floods_http2, wait_until
from tests.support.floods import HOST, Held, Place
from tests.support.frames import field as header

KIB = 1024
MIB = 1024 * KIB
# Whatever is measured: the connections of who behaves, and pages the allocator takes by the half megabyte.
BESIDE = 2 * MIB
# A thread keeps 256 buffers of each of three kinds for those who come next, of 16, 32 and at most 16 KiB (buffers.rs).
KEPT = 256 * (16 + 32 + 16) * KIB
# Cut by these times instead of waited for; the limits as shipped are 10 and 30 s.
BRIEF: Mapping[str, int] = {"head_timeout_ms": 2000, "body_idle_timeout_ms": 2000, "idle_timeout_ms": 2000}  # fmt: skip
CHUNKED = f"POST /take HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
# Connections at a time, until memory is given back.
CHURN = 500

Count = Callable[[Mapping[str, Any]], int]
"""How often the stats counted something."""


def counted(rows: str, cause: str, name: str = "cause") -> Count:
    """In rows such as `cut_connections`, by their cause."""
    return lambda stats: sum(row["count"] for row in stats[rows] if row[name] == cause)


def bad(code: str) -> Count:
    return counted("bad_requests", code, "code")


def answered(reason: str) -> Count:
    """Requests the mesh ended itself."""
    return counted("requests", reason, "reason")


def failed(cause: str) -> Count:
    """Handshakes that came to nothing."""
    return lambda stats: counted("failures", cause)(stats["tls"])


@dataclass(frozen=True, slots=True)
class Flood:
    """One kind of bad manners."""

    name: str
    send: Callable[[Flooded], Held]
    units: int
    """How many connections or streams it has."""
    unit_bytes: int
    """What each may make the proxy grow by at the most."""
    reason: str
    """Why so much."""
    cut: Count | None = None
    """What counts those that are cut; none: nothing has to be, as nothing grows."""
    cuts: int | None = None
    """How many are; left out: all units."""
    limits: Mapping[str, int] = field(default_factory=dict)


def plain(send: Callable[[Place, int], Held], units: int) -> Callable[[Flooded], Held]:
    return lambda proxy: send(proxy.plain, units)


def secured(send: Callable[[Place, int], Held], units: int) -> Callable[[Flooded], Held]:
    return lambda proxy: send(proxy.secured, units)


SLOW = (
    Flood(
        "slow heads", plain(floods.slow_heads, 500), 500, 24 * KIB,
        "a read buffer of 16 KiB and the request's own state",
        bad("request_timeout"), limits=BRIEF,
    ),
    Flood(
        "slow bodies", plain(floods.slow_bodies, 300), 300, 56 * KIB,
        "a read buffer of 16 KiB on each side, a write buffer, and the connection to the origin",
        answered("request_timeout"), limits=BRIEF,
    ),
    Flood(
        "slow readers", plain(floods.slow_readers, 200), 200, 208 * KIB,
        "64 KiB read and up to 128 KiB to be written, as bulk is moved by 64 KiB",
        answered("client_closed"), limits=BRIEF,
    ),
    Flood(
        "pipelined requests whose answers are not read", plain(floods.pipelined, 2), 2, 96 * KIB,
        "questions are read no further than 64 KiB while an answer waits",
        answered("client_closed"), limits=BRIEF,
    ),
)  # fmt: skip

HEADS = tuple(
    Flood(name, plain(floods.endless(begin, piece), 20), 20, 72 * KIB, "a head of 32 KiB and its reading", cut)
    for name, begin, piece, cut in (
        ("endless fields", b"GET / HTTP/1.1\r\n", b"x: a\r\n", bad("too_many_fields")),
        ("an endless field", b"GET / HTTP/1.1\r\nx: ", b"a", bad("head_too_large")),
        ("an endless target", b"GET /", b"a", bad("target_too_long")),
        ("endless empty lines", b"\r\n", b"\r\n", bad("leading_empty_lines")),
        ("an endless chunk extension", CHUNKED + b"1;a=", b"a", answered("bad_request")),
        ("endless trailers", CHUNKED + b"0\r\n", b"x: a\r\n", answered("header_too_large")),
    )
)  # fmt: skip

FRAMES = tuple(
    Flood(name, plain(send, units), units, 96 * KIB, "a connection's own 48 KiB, and a head of 32 KiB", cut, cuts)
    for name, send, units, cut, cuts in (
        ("rapid reset", floods_http2.rapid_reset, 20, counted("cut_connections", "http2_flood"), 20),
        ("made-you-reset by too large a window", floods_http2.overflow, 10, counted("cut_connections", "http2_flood"), 10),
        ("made-you-reset by a window of nothing", floods_http2.no_window, 10, counted("cut_connections", "http2_protocol_error"), 10),
        ("made-you-reset by data behind the end", floods_http2.data_behind, 10, counted("cut_connections", "http2_protocol_error"), 10),
        ("CONTINUATION of nothing", floods_http2.endless_head(b""), 10, counted("cut_connections", "http2_flood"), 10),
        ("CONTINUATION without end", floods_http2.endless_head(header(b"x-fill", b"a" * 100) * 100), 10, counted("cut_connections", "http2_flood"), 10),
        ("empty DATA", floods_http2.EMPTY_DATA, 10, counted("cut_connections", "http2_flood"), 10),
        ("HPACK bombs", floods_http2.bombs, 10, counted("cut_connections", "http2_flood"), 10),
        ("thousands of fields", floods_http2.many_fields, 10, None, None),
        ("SETTINGS", floods_http2.SETTINGS, 10, None, None),
        ("PING", floods_http2.PING, 10, None, None),
        ("PRIORITY", floods_http2.PRIORITY, 10, None, None),
        ("WINDOW_UPDATE", floods_http2.WINDOW_UPDATE, 10, None, None),
    )
)  # fmt: skip

WINDOWS = (
    Flood(
        "a thousand streams with shut windows",
        lambda proxy: floods_http2.stalled(proxy.plain, 10, 100), 1000, 32 * KIB,
        "issue 6: 16 KiB that were read, 4 KiB to be written, the request's and the stream's state",
    ),
    Flood(
        "a thousand of them on one connection",
        lambda proxy: floods_http2.stalled(proxy.plain, 1, 1000), 1000, 32 * KIB,
        "the same, where the limit of streams is raised to its most", limits={"http2_streams": 1000},
    ),
    Flood(
        "uploads that nobody takes",
        lambda proxy: floods_http2.uploads(proxy.plain, 2, 100), 200, 96 * KIB,
        "64 KiB to be written to the instance, and a buffer of 16 KiB",
    ),
)  # fmt: skip

HANDSHAKES = (
    Flood(
        "hellos and then nothing", secured(floods.half_handshakes, 300), 300, 24 * KIB,
        "the state of a handshake, with what was signed", failed("timeout"), limits=BRIEF,
    ),
    Flood(
        "more of them than may be at once", secured(floods.half_handshakes, 1500), 1024, 24 * KIB,
        "as many as limits.tls_handshakes; its oldest give way", failed("limit"), 400,
    ),
    Flood(
        "halves of a hello", secured(floods.part_of_a_hello, 300), 300, 24 * KIB,
        "what was read and no session yet", failed("timeout"), limits=BRIEF,
    ),
    Flood(
        "what is no TLS", secured(floods.no_tls, 300), 300, 24 * KIB,
        "a record's buffer", failed("timeout"), limits=BRIEF,
    ),
    Flood(
        "whole handshakes", secured(floods.handshakes, 200), 1, 2 * MIB,
        "nothing is kept of a connection that ended; tickets are with the client",
    ),
)  # fmt: skip

FLOODS = (*SLOW, *HEADS, *FRAMES, *WINDOWS, *HANDSHAKES)


@pytest.mark.parametrize("flood", FLOODS, ids=[flood.name for flood in FLOODS])
async def test_memory_is_bounded_and_who_behaves_is_answered(flood: Flood, tmp_path: Path) -> None:
    async with flooded(tmp_path, flood.limits) as proxy:
        before = proxy.held()
        before_stats = await proxy.stats()
        most, held = await _under(flood, proxy, before)
        told = f"grew by {most - before:,} bytes: {flood.reason}"
        assert most - before <= flood.units * flood.unit_bytes + BESIDE, told
        if flood.cut is not None:
            await _until_cut(flood, proxy, before_stats)
        floods.close(held)
        await _until_given_back(proxy, before)


async def test_a_flood_of_connections_leaves_room_to_other_clients(tmp_path: Path) -> None:
    """Who floods is `127.0.0.1`; who behaves comes from another address, and had no connection before."""
    async with flooded(tmp_path, {"connections": 400}) as proxy:
        before = proxy.held()
        await proxy.ask_from("127.0.0.3")
        held = await asyncio.to_thread(floods.opened, proxy.plain, 2000)
        try:
            for _ in range(20):
                await proxy.ask_kept()
                await proxy.ask_from("127.0.0.3")

            async def are_shed() -> bool:
                return counted("shed", "client")(await proxy.stats()) >= 1500

            await wait_until(are_shed, 30, what="those over the measure of a client are closed")
            assert proxy.held() - before <= 200 * 8 * KIB + BESIDE
        finally:
            floods.close(held)
        await proxy.ask()


async def test_a_flood_from_everywhere_is_bounded_by_the_limit_of_all(tmp_path: Path) -> None:
    async with flooded(tmp_path, {"connections": 400, "connections_per_client": 400}) as proxy:
        before = proxy.held()
        held = await asyncio.to_thread(floods.opened, proxy.plain, 2000)
        try:
            for _ in range(20):
                # Who is in is served.
                await proxy.ask_kept()

            async def are_shed() -> bool:
                stats = await proxy.stats()
                return (
                    counted("shed", "connections")(stats) + counted("shed", "client")(stats) >= 1500
                )

            await wait_until(are_shed, 30, what="those over the limit are closed")
            assert proxy.held() - before <= 400 * 8 * KIB + BESIDE
        finally:
            floods.close(held)
        # Once there is room, all are taken.
        await wait_until(proxy.ask_again, 30, what="an answer on a new connection")


async def _under(flood: Flood, proxy: Flooded, before: int) -> tuple[int, Held]:
    """The most memory while it goes on, with who behaves beside it; and what it still holds."""
    most = before
    sending = asyncio.create_task(asyncio.to_thread(flood.send, proxy))
    rounds = 0
    while not sending.done() or rounds < 3:
        rounds += sending.done()
        await proxy.ask()
        most = max(most, proxy.held())
    return most, await sending


async def _until_cut(flood: Flood, proxy: Flooded, before: Mapping[str, Any]) -> None:
    """Each that is cut is counted under its cause, and nothing beside."""
    cut, wanted = flood.cut, flood.units if flood.cuts is None else flood.cuts
    assert cut is not None
    begin = cut(before)

    async def are_cut() -> bool:
        return cut(await proxy.stats()) - begin >= wanted

    await wait_until(are_cut, 60, what=f"{wanted} cuts of {flood.name}")


async def _until_given_back(proxy: Flooded, before: int) -> None:
    """The allocator gives pages back while it is used, so that it is: some thousand connections come and go."""

    async def is_small() -> bool:
        await asyncio.to_thread(proxy.churn, CHURN)
        return proxy.held() - before <= KEPT + BESIDE

    await wait_until(is_small, 60, what="memory is given back")
