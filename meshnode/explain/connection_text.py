"""A raw connection that was, as lines for people. Decides nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from .connection import PastConnection
from .layout import LABEL_WIDTH, step

ENDINGS: Mapping[str, str] = {
    "client": "who opened it closed it",
    "upstream": "the instance closed it",
    "client_reset": "who opened it was lost: a reset",
    "upstream_reset": "the instance was lost: a reset",
    "idle": "nothing moved for too long",
    "intention": "cut: an intention allowed it no longer",
    "identity": "cut: what let it in held no longer",
}
FOUND: Mapping[str, str] = {
    "tls": "TLS, moved as it is",
    "tcp": "bytes of no protocol that is known here, moved as they are",
    "silent": "nothing was said at first, so the server was let speak",
}
MILLISECONDS_UNTIL_US = 1_000_000


def past_lines(past: PastConnection) -> list[str]:
    """What became of it, one step a line."""
    began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(past.start_us / 1_000_000))
    client = f", from {past.client_address}" if past.client_address else ""
    return [
        f"trace {past.trace_id[:8]}   a connection of {began}, for {_duration(past.duration_us)}",
        f"{past.words}   as {past.source or 'edge'}{client}",
        *_way(past),
        *_intention(past),
        *_end(past),
    ]


def _duration(microseconds: int) -> str:
    if microseconds < MILLISECONDS_UNTIL_US:
        return f"{microseconds / 1000:.1f} ms"
    return f"{microseconds / 1_000_000:.1f} s"


def _way(past: PastConnection) -> Iterator[str]:
    yield step("listener", f"{past.listener or 'not told'} on {past.node}")
    if past.detected:
        name = f" (for {past.server_name})" if past.server_name else ""
        yield step("detection", FOUND.get(past.detected, past.detected) + name)
    if past.route:
        yield step("route", f"{past.route}   {past.key} index {past.index}")
    if past.instance:
        node = f" on {past.instance_node}" if past.instance_node else ""
        yield step("instance", f"{past.instance} of {past.destination}{node}")
    elif past.destination:
        yield step("instance", f"none of {past.destination}")


def _intention(past: PastConnection) -> Iterator[str]:
    """The rule by which it was let in or not; a default has no name in a trace."""
    if not past.intention and not past.was_denied and past.received_bytes is None:
        return
    verdict = "deny" if past.was_denied else "allow"
    named = f"intention {past.intention}" if past.intention else "no intention is named"
    pair = f"{past.source} => {past.destination}"
    yield step("intention", f"{pair}   {verdict} ({named})")


def _end(past: PastConnection) -> Iterator[str]:
    if past.received_bytes is not None:
        yield step("bytes", f"{past.received_bytes} received, {past.sent_bytes or 0} sent")
    ending = ENDINGS.get(past.ended_by, past.ended_by)
    if past.received_bytes is None:
        ending = "closed at its beginning"
    yield step("ended", f"{ending}, {past.reason}" if past.reason else ending)
    if past.sentence:
        yield " " * LABEL_WIDTH + past.sentence
