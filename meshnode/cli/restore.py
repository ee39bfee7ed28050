"""Putting keys back in one transaction, and saying what became of it. Plans nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import typer

from catalog import ConsulClient, ConsulConflict, Restore, Verdict, operations

from ..errors import EXIT_DONE, MeshnodeError
from .output import say, say_json
from .verdict import Sent, after_put_ms, exit_code, say_problem, sentence
from .waiting import wait_for_verdict


@dataclass(frozen=True, slots=True)
class Restored:
    """One key that was put back, with what the nodes say of it; None where nobody waited."""

    restore: Restore
    index: int | None
    verdict: Verdict | None
    sent: Sent


async def put_back(
    client: ConsulClient, plan: Sequence[Restore], wait_s: float
) -> tuple[Restored, ...]:
    """All keys or none. Raises CatalogError, MeshnodeError."""
    if not plan:
        return ()
    sent_ms = _now_ms()
    try:
        written = await client.kv_txn(operations(plan))
    except ConsulConflict as error:
        changed = ", ".join(plan[place].key for place, _ in error.failed)
        raise MeshnodeError(
            f"somebody changed {changed} in this moment, so nothing was put; look at `meshnode history` and try again"
        ) from error
    indexes = {entry.key: entry.modify_index for entry in written}
    found = []
    for one in plan:
        verdict = await wait_for_verdict(client, one.key, wait_s) if wait_s > 0 else None
        found.append(
            Restored(
                one,
                None if one.value is None else indexes.get(one.key),
                verdict,
                Sent(sent_ms, _now_ms()),
            )
        )
    return tuple(found)


def say_restored(restored: Sequence[Restored], *, as_json: bool) -> None:
    """Ends as `kv put` does: 1 where a node refuses, 3 where one has not said."""
    if as_json:
        say_json([_document(one) for one in restored])
    else:
        for one in restored:
            _say(one)
    codes = [exit_code(one.verdict) for one in restored if one.verdict is not None]
    if (code := max(codes, default=EXIT_DONE)) != EXIT_DONE:
        raise typer.Exit(code)


def say_plan(plan: Sequence[Restore], *, as_json: bool) -> None:
    """What would be put."""
    if as_json:
        say_json([{"key": one.key, "back_to_index": _back_to(one)} for one in plan])
        return
    for one in plan:
        back = _back_to(one)
        say(f"{one.key}   " + (f"would be put as at index {back}" if back else "would be deleted"))
    if not plan:
        say("nothing would be put: all stands as it did then")


def _say(one: Restored) -> None:
    back = _back_to(one.restore)
    what = f"back to index {back}'s value, now index {one.index}" if back else "deleted, as before"
    told = "" if one.verdict is None else f", {sentence(one.verdict, one.sent)}"
    say(f"{one.restore.key}   {what}{told}")
    for problem in one.verdict.problems if one.verdict else ():
        say_problem(problem)


def _document(one: Restored) -> dict[str, object]:
    document: dict[str, object] = {
        "key": one.restore.key,
        "index": one.index,
        "back_to_index": _back_to(one.restore),
    }
    if one.verdict is not None:
        document["verdict"] = one.verdict.to_json()
        document["after_put_ms"] = after_put_ms(one.verdict, one.sent)
    return document


def _back_to(one: Restore) -> int | None:
    return None if one.value is None else one.value.index


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
