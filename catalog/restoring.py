"""What is to be put to bring keys back to what they held: planned from history and from what stands now. Pure.

Refuses whatever would lose a change that was made since.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .errors import CatalogError
from .history import Value
from .history_log import History, Past
from .model import KvEntry
from .transactions import KvOperation


class RestoreRefused(CatalogError):  # noqa: N818 (says what it is)
    """What was asked for would lose something, or nobody knows what stood there. `str()` is the sentence."""


@dataclass(frozen=True, slots=True)
class Restore:
    """One key: it stands at `index` now (0: it does not) and is to hold `value` again (None: nothing)."""

    key: str
    index: int
    value: Value | None


def undoing(
    history: History, entries: Mapping[str, KvEntry], index: int | None
) -> tuple[Restore, ...]:
    """Taking back what was changed at `index`, None: at the last change there was. Raises RestoreRefused."""
    if index is None:
        if not history.changes:
            raise RestoreRefused("there is nothing to undo: history tells of no change yet")
        index = history.changes[-1].index
    changes = history.at(index)
    if not changes:
        raise RestoreRefused(_no_such(history, index))
    return tuple(_undone(past, entries.get(past.key), history) for past in changes)


def rolling_back(
    history: History, entries: Mapping[str, KvEntry], index: int
) -> tuple[Restore, ...]:
    """Every key as it was after `index`; those that are so already are left out. Raises RestoreRefused."""
    if not history.changes or index < history.begins:
        raise RestoreRefused(
            f"history begins at index {history.begins + 1}: what stood at {index} is not known any more"
            if history.changes
            else "history tells of no change yet: there is nothing to go back to"
        )
    state = history.state(index)
    found: list[Restore] = []
    for key, past in sorted(history.last().items()):
        if past.index <= index:
            continue
        if key not in state:
            raise RestoreRefused(f"nobody saw what stood at {key} before index {past.index}")
        found.append(_back(past, entries.get(key), state[key]))
    return tuple(one for one in found if _differs(one, entries.get(one.key)))


def operations(restores: Sequence[Restore]) -> list[KvOperation]:
    """The transaction: nothing is done if one of the keys was changed meanwhile."""
    return [
        KvOperation("delete-cas", one.key, index=one.index)
        if one.value is None
        else KvOperation("cas", one.key, one.value.data or b"", index=one.index)
        for one in restores
    ]


def _undone(past: Past, entry: KvEntry | None, history: History) -> Restore:
    _check_last(past, entry, history)
    if not past.change.is_old_known:
        raise RestoreRefused(
            f"nobody saw what stood at {past.key} before index {past.index}: it can not be put back"
        )
    return _back(past, entry, past.change.old)


def _check_last(past: Past, entry: KvEntry | None, history: History) -> None:
    """Whether the key stands as this change left it."""
    new = past.change.new
    if (new is None and entry is None) or (
        new is not None and entry is not None and entry.modify_index == new.index
    ):
        return
    later = [one for one in history.of(past.key) if one.index > past.index]
    at = later[-1].index if later else None if entry is None else entry.modify_index
    what = "was deleted" if entry is None else "was changed"
    raise RestoreRefused(
        f"{past.key} {what} after index {past.index}"
        + (f", at index {at}" if at else "")
        + f": nothing was put. To take that back too: meshnode rollback --to {past.index - 1}"
    )


def _back(past: Past, entry: KvEntry | None, value: Value | None) -> Restore:
    if value is not None and value.data is None:
        raise RestoreRefused(
            f"of {past.key} history has the hash alone (a secret, or too long to keep): put it by hand"
        )
    return Restore(past.key, 0 if entry is None else entry.modify_index, value)


def _differs(restore: Restore, entry: KvEntry | None) -> bool:
    if restore.value is None or entry is None:
        return not (restore.value is None and entry is None)
    return restore.value.data != entry.value


def _no_such(history: History, index: int) -> str:
    near = [past.index for past in history.changes if past.index < index]
    hint = f"; the last before it is {near[-1]}" if near else ""
    return f"history tells of no change at index {index}{hint}: `meshnode history` lists them"
