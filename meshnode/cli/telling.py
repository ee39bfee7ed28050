"""A change of a key in few words: what went, what came, and what followed. Reads nothing."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from datetime import datetime

from catalog import KeyChange, Outcome, Past, Value

from .output import count, printable

LONGEST = 70
"""So many characters of a change stand in a row of the table; `meshnode diff` shows all of it."""
UNKNOWN = "nobody saw what stood there before"


def what(change: KeyChange) -> str:
    """`timeout=2s → timeout=200ms`; the whole value of a new key."""
    old, new = change.old, change.new
    if new is None:
        return "deleted" + (f"; it was {_shown(old)}" if old else "")
    if old is None:
        return ("" if change.is_old_known else "now ") + _shown(new)
    if old.data is None or new.data is None:
        return f"{_hash(old)} → {_hash(new)}"
    if old.data == new.data:
        return "put again, the same value"
    before, after = _text(old.data).strip(), _text(new.data).strip()
    if "\n" in before or "\n" in after:
        return _lines_changed(before, after)
    return _cut(_words_changed(before, after))


def effect(past: Past) -> str:
    """`errors 0.1 % → 34 %`; without requests what the nodes made of it; empty while neither is known."""
    told, outcome = past.revision.effect, past.change.outcome
    parts = []
    if outcome is not None and outcome.refused:
        parts.append(_made_of(outcome))
    if told is not None and (told.requests_before or told.requests_after):
        before = _share(told.errors_before, told.requests_before)
        after = _share(told.errors_after, told.requests_after)
        parts.append(f"errors {before} → {after}")
    elif outcome is not None and not outcome.refused:
        parts.append(_made_of(outcome))
    return "; ".join(parts)


def seen(past: Past, now: datetime) -> str:
    """The time of day, with the date if it was not today; in the zone of `now`."""
    at = datetime.fromtimestamp(past.revision.seen_unix_ms / 1000, now.tzinfo)
    return f"{at:%H:%M:%S}" if at.date() == now.date() else f"{at:%Y-%m-%d %H:%M:%S}"


def differences(key: str, old: Value | None, new: Value | None) -> Iterator[str]:
    """Lines as `diff -u` has them, under a head that names key and indexes."""
    before, after = _side(old), _side(new)
    heads = (f"{key}   {_at(old)}", f"{key}   {_at(new)}")
    yield from difflib.unified_diff(before, after, *heads, lineterm="")


def _side(value: Value | None) -> list[str]:
    if value is None:
        return []
    return [_hash(value)] if value.data is None else _text(value.data).splitlines()


def _at(value: Value | None) -> str:
    return "nothing stood there" if value is None else f"index {value.index}"


def _made_of(outcome: Outcome) -> str:
    whole = outcome.accepted + outcome.refused + outcome.waiting
    word, number = (
        ("refused", outcome.refused) if outcome.refused else ("accepted", outcome.accepted)
    )
    return f"{word} by {number} of {count(whole, 'node')}"


def _share(errors: int, requests: int) -> str:
    if not requests:
        return "-"
    share = 100 * errors / requests
    return f"{share:.0f} %" if share >= 10 or share == int(share) else f"{share:.1f} %"


def _words_changed(before: str, after: str) -> str:
    old, new = before.split(), after.split()
    went: list[str] = []
    came: list[str] = []
    for kind, i, j, k, m in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            went += old[i:j]
            came += new[k:m]
    if not went and not came:
        return "spaces only"
    return f"{' '.join(went) or '(nothing)'} → {' '.join(came) or '(nothing)'}"


def _lines_changed(before: str, after: str) -> str:
    lines = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    went = sum(line.startswith("- ") for line in lines)
    came = sum(line.startswith("+ ") for line in lines)
    return f"{count(went, 'line')} → {count(came, 'line')}" if went or came else "spaces only"


def _shown(value: Value) -> str:
    if value.data is None:
        return _hash(value)
    text = _text(value.data).strip()
    first, _, rest = text.partition("\n")
    more = f" (and {count(len(rest.splitlines()), 'line')})" if rest else ""
    return _cut(first) + more


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _hash(value: Value) -> str:
    return f"sha256:{value.sha256[:12]}"


def _text(data: bytes) -> str:
    return printable(data.decode(errors="replace"))
