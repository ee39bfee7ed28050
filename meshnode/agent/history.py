"""The writer of history as this node has it: its pen from the CA, what the nodes say, how its own requests fare. Writes nothing itself."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from catalog import (
    HISTORY_PREFIX,
    STATUS_PREFIX,
    CatalogError,
    ConsulClient,
    History,
    HistoryWriter,
    KeyChange,
    KvEntry,
    Outcome,
    Pen,
    SignedRevision,
    StatusReader,
    Surroundings,
    history_of,
    live_nodes,
    verdict,
)
from certs import (
    SIGNER_KEY,
    Builtin,
    CertificateError,
    HistoryJudge,
    session_name_of,
    verify_signature,
)

from .traffic import Traffic

NODE_SERVICE = "meshnode"
NO_TRUST = "this node has not pinned the mesh's root yet"


class HistorySide:
    """What the writer asks of its node."""

    def __init__(self, client: ConsulClient, provider: Builtin) -> None:
        self._client = client
        self._provider = provider
        self._reader = StatusReader(client.session_info, verify_signature, session_name_of)

    def pen(self) -> Pen | None:
        session = self._provider.signer_session
        try:
            key = self._provider.history_key()
        except CertificateError:
            return None  # the root is about to end, which is a problem of its own
        if session is None or key is None:
            return None
        return Pen(SIGNER_KEY, session, key.chain_pem, key.sign)

    def judge(self, signed: SignedRevision) -> str | None:
        judge = self._provider.history_judge()
        return NO_TRUST if judge is None else _refusal(judge, signed)

    async def outcomes(
        self, changes: Sequence[KeyChange]
    ) -> tuple[tuple[Outcome | None, ...], str]:
        """By the signed statuses of the nodes that are alive. Raises CatalogError."""
        instances = await self._client.instances(NODE_SERVICE)
        entries = await self._client.kv_list(STATUS_PREFIX)
        statuses = await self._reader.read(entries, {one.node for one in instances})
        alive = live_nodes(instances)
        found: list[Outcome | None] = []
        first = ""
        for change in changes:
            # A deletion has no index a status could name, and of what was put over the problems are gone.
            entry = None if change.new is None else await self._client.kv_get(change.key)
            if entry is None or entry.modify_index != change.index:
                found.append(None)
                continue
            said = verdict(change.key, _bare(entry), statuses.counted, alive)
            message = said.problems[0].message if said.problems else ""
            counts = (said.count("accepted"), said.count("refused"), said.count("waiting"))
            found.append(Outcome(*counts, message))
            first = said.first.node if said.first else first
        return tuple(found), first


def make_history_writer(
    client: ConsulClient,
    node: str,
    provider: Builtin,
    traffic: Traffic,
    *,
    on_trouble: Callable[[CatalogError | None], None],
    jitter: random.Random,
) -> HistoryWriter:
    side = HistorySide(client, provider)
    around = Surroundings(
        side.pen, side.judge, side.outcomes, traffic.between, lambda: time.time_ns() // 1_000_000
    )
    return HistoryWriter(client, node, around, on_trouble=on_trouble, jitter=jitter)


async def read_history(client: ConsulClient, provider: Builtin) -> History | None:
    """What counts of it; None before this node has pinned the mesh's root. Raises CatalogError."""
    judge = provider.history_judge()
    if judge is None:
        return None
    entries = await client.kv_list(HISTORY_PREFIX)
    # A thousand signatures take a quarter of a second.
    return await asyncio.to_thread(history_of, entries, lambda one: _refusal(judge, one))


def _refusal(judge: HistoryJudge, signed: SignedRevision) -> str | None:
    return judge.refusal(
        signed.chain,
        signed.message,
        signed.signature,
        node=signed.revision.writer,
        at=datetime.fromtimestamp(signed.revision.seen_unix_ms / 1000, UTC),
    )


def _bare(entry: KvEntry) -> KvEntry:
    return KvEntry(entry.key, b"", entry.modify_index)
