"""History for commands: read, checked against the mesh's root, and waited for where a change is too new for it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from catalog import (
    HISTORY_PREFIX,
    CatalogError,
    ConsulClient,
    History,
    KvEntry,
    SignedRevision,
    history_of,
)
from certs import ROOTS_KEY, CertificateError, HistoryJudge

from ..config import Settings
from ..config.kinds import duration_s
from ..errors import MeshnodeError, NotReachedError, UsageError
from .output import printable
from .waiting import PEOPLES

# The writer puts an entry some 0.1 s after it saw the change; a new one is elected within 45 s, which is not waited for.
PATIENCE_S = 5.0
LOOK_S = 0.1
# Of a key that may never have been no more is waited for: ten times what the writer takes.
TOLD_S = 1.0
NO_ROOT = "there is no root in meshnode/ca/roots, so no entry of history can be checked: does a node run that may sign?"
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands under mesh/, and what history tells of it."""

    entries: Mapping[str, KvEntry]
    history: History


async def read_history(client: ConsulClient, settings: Settings) -> History:
    """Raises CatalogError, MeshnodeError."""
    return await _read(client, await _judge(client, settings))


async def read_standing(
    client: ConsulClient, settings: Settings, index: int | None = None
) -> Standing:
    """Once history has caught up with what stands, or tells of `index`. Raises CatalogError, MeshnodeError."""
    judge = await _judge(client, settings)
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while True:
        # History first: what is changed between the two reads is found to be newer, and read again.
        history = await _read(client, judge)
        entries = {entry.key: entry for entry in await client.kv_list(PEOPLES, consistent=True)}
        behind = history.behind(entries)
        if not behind or (index is not None and history.at(index)):
            return Standing(entries, history)
        if asyncio.get_running_loop().time() > deadline:
            raise NotReachedError(
                f"history does not tell yet how {behind[0]} came to stand as it does, so nothing was put: "
                "is a node alive that writes it (one that may sign certificates)? Then try again"
            )
        await asyncio.sleep(LOOK_S)


async def when_written(client: ConsulClient, settings: Settings) -> Mapping[tuple[str, int], int]:
    """When each (key, index) was seen first, Unix milliseconds; nothing where history cannot be read: it is an ornament."""
    try:
        history = await read_history(client, settings)
    except (CatalogError, MeshnodeError):
        return {}
    return {(past.key, past.index): past.revision.seen_unix_ms for past in history.changes}


async def history_of_key(client: ConsulClient, settings: Settings, key: str) -> History | None:
    """Once it tells of this key, or after a moment in which a deletion of just now would be told; None where it cannot be read."""
    deadline = asyncio.get_running_loop().time() + TOLD_S
    while True:
        try:
            history = await read_history(client, settings)
        except (CatalogError, MeshnodeError):
            return None
        if history.of(key) or asyncio.get_running_loop().time() > deadline:
            return history
        await asyncio.sleep(LOOK_S)


async def _read(client: ConsulClient, judge: HistoryJudge) -> History:
    def refusal(signed: SignedRevision) -> str | None:
        revision = signed.revision
        at = datetime.fromtimestamp(revision.seen_unix_ms / 1000, UTC)
        return judge.refusal(
            signed.chain, signed.message, signed.signature, node=revision.writer, at=at
        )

    return history_of(await client.kv_list(HISTORY_PREFIX), refusal)


async def _judge(client: ConsulClient, settings: Settings) -> HistoryJudge:
    roots = await client.kv_get(ROOTS_KEY)
    try:
        judge = HistoryJudge.of(None if roots is None else roots.value, settings.state_folder)
    except CertificateError as error:
        raise MeshnodeError(f"{ROOTS_KEY} cannot be read: {error}") from error
    if judge is None:
        raise MeshnodeError(NO_ROOT)
    return judge


def span_s(text: str) -> float:
    """`3h` or `2d` in seconds. Raises UsageError."""
    number = text.removesuffix("d")
    if number != text and number.isascii() and number.isdigit():
        return int(number) * 86_400.0
    try:
        return duration_s(text)
    except ValueError as error:
        raise UsageError(f"{text}: {error}") from error


def moment(text: str, now: datetime) -> datetime:
    """`14:02` (today, or yesterday where that is still to come), `2026-11-23 14:02`, or `10m` for ten minutes ago.

    `now` says the time zone. Raises UsageError.
    """
    clock = _CLOCK.fullmatch(text)
    try:
        if clock is not None:
            hour, minute, second = (int(part or 0) for part in clock.groups())
            found = now.replace(hour=hour, minute=minute, second=second, microsecond=0)
            return found if found <= now else found - timedelta(days=1)
        if "-" in text:
            found = datetime.fromisoformat(text)
            return found if found.tzinfo else found.replace(tzinfo=now.tzinfo)
        return now - timedelta(seconds=span_s(text))
    except (ValueError, OverflowError, UsageError) as error:
        raise UsageError(
            f"{printable(text)} is no time: write 14:02, 2026-11-23T14:02, or 10m for ten minutes ago"
        ) from error
