"""The keys in the file: set, locked, deleted, listed, each with Consul's index rules. Knows no HTTP."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import Any

from .body import quoted
from .store import Reader, Writer

KVS, TOMBSTONES = "kvs", "tombstones"
# As long as Consul keeps them: whoever waits for a prefix asks anew within ten minutes.
TOMBSTONE_SECONDS = 15 * 60
# Consul's own bound; a delay that ends later is the work of a clock that was set back.
MAX_LOCK_DELAY_SECONDS = 60.0


class KeyMistake(Exception):  # noqa: N818  (Consul's words for what cannot be done with a key)
    """Takes back the whole write."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One key. `key` are bytes, since Consul takes those that are no UTF-8."""

    key: bytes
    value: bytes = b""
    flags: int = 0
    session: str | None = None
    lock_index: int = 0
    """How often it was locked; a plain put sets it back."""
    create_index: int = 0
    modify_index: int = 0

    @property
    def name(self) -> str:
        return self.key.decode(errors="replace")

    def to_json(self, *, with_value: bool = True) -> dict[str, Any]:
        return _document(
            self.key,
            self.value if with_value else b"",
            self.flags,
            self.session,
            self.lock_index,
            self.create_index,
            self.modify_index,
        )


# Reading


def get(reader: Reader, key: bytes) -> Entry | None:
    row = reader.row("SELECT * FROM kv WHERE key = ?", key)
    return _entry(row) if row else None


def listed(reader: Reader, prefix: bytes) -> list[dict[str, Any]]:
    """All keys that begin so in the API's form, sorted by their bytes.

    Straight from the rows: every watch of a prefix reads it whole at each change, and an Entry a key doubles the time.
    """
    where, values = _range(prefix)
    rows = reader.rows(f"SELECT * FROM kv WHERE {where} ORDER BY key", *values)  # noqa: S608  (_range's)
    return [_document(*row) for row in rows]


def keys_under(reader: Reader, prefix: bytes) -> list[bytes]:
    """Sorted by their bytes."""
    where, values = _range(prefix)
    rows = reader.rows(f"SELECT key FROM kv WHERE {where} ORDER BY key", *values)  # noqa: S608  (_range's)
    return [row[0] for row in rows]


def table_index(reader: Reader) -> int:
    return reader.index_of(KVS, TOMBSTONES)


def index_under(reader: Reader, prefix: bytes) -> int:
    """The newest of what is and of what was deleted there; the table's where there is neither."""
    if not prefix:
        return table_index(reader)
    where, values = _range(prefix)
    found = [
        reader.row(f"SELECT max(modify_index) FROM {table} WHERE {where}", *values)  # noqa: S608  (_range's)
        for table in ("kv", "tombstones")
    ]
    return max(row[0] or 0 for row in found if row) or table_index(reader)


def key_topic(key: bytes) -> str:
    """Woken by every change of this key."""
    return "kv=" + key.decode("latin-1")


def prefix_topic(prefix: bytes) -> str:
    """Woken by every change below this prefix."""
    return "kv^" + prefix.decode("latin-1")


# Writing


def put(writer: Writer, entry: Entry) -> Entry:
    """A plain set: keeps the session that holds it. The entry as it is now; the same value changes nothing."""
    there = get(writer, entry.key)
    return _store(writer, replace(entry, session=there.session if there else None), there)


def put_cas(writer: Writer, entry: Entry) -> Entry | None:
    """None if `modify_index` is not the key's (0: there is a key)."""
    there = get(writer, entry.key)
    if (there.modify_index if there else 0) != entry.modify_index:
        return None
    return put(writer, entry)


def lock(writer: Writer, entry: Entry) -> Entry | None:
    """Holds the key for the entry's session; None if another holds it, or may have it only later."""
    if is_delayed(writer, entry.key):
        return None
    if not entry.session:
        raise KeyMistake("missing session")
    session = writer.row("SELECT id FROM sessions WHERE id = ?", entry.session)
    if session is None:
        raise KeyMistake(f"invalid session {quoted(entry.session)}")
    there = get(writer, entry.key)
    if there is None:
        return _store(writer, replace(entry, lock_index=1), None)
    if there.session == entry.session:
        return _store(writer, replace(entry, lock_index=there.lock_index), there)
    if there.session:
        return None
    return _store(writer, replace(entry, lock_index=there.lock_index + 1), there)


def unlock(writer: Writer, entry: Entry) -> Entry | None:
    """None if the entry's session does not hold it."""
    if not entry.session:
        raise KeyMistake("missing session")
    there = get(writer, entry.key)
    if there is None or there.session != entry.session:
        return None
    return _store(writer, replace(entry, session=None, lock_index=there.lock_index), there)


def delete(writer: Writer, key: bytes) -> None:
    if writer.execute("DELETE FROM kv WHERE key = ?", key):
        _bury(writer, key)
        _changed(writer, key)


def delete_cas(writer: Writer, key: bytes, index: int) -> bool:
    """False if it has another ModifyIndex. One that is not there is deleted already."""
    there = get(writer, key)
    if there is None:
        return True
    if there.modify_index != index:
        return False
    delete(writer, key)
    return True


def delete_under(writer: Writer, prefix: bytes) -> None:
    keys = keys_under(writer, prefix)
    if not keys:
        return
    where, values = _range(prefix)
    writer.execute(f"DELETE FROM kv WHERE {where}", *values)  # noqa: S608  (_range's)
    if prefix:
        _bury(writer, prefix)
    for key in keys:
        _changed(writer, key)


def give_up(writer: Writer, session: str, *, is_delete: bool, delay_s: float) -> None:
    """What becomes of the keys a lost session held: deleted or released, and not to be locked for a while."""
    for row in writer.rows("SELECT * FROM kv WHERE session = ?", session):
        held = _entry(row)
        if is_delete:
            delete(writer, held.key)
        else:
            _store(writer, replace(held, session=None), held)
        if delay_s > 0:
            ends_at = writer.now + min(delay_s, MAX_LOCK_DELAY_SECONDS)
            writer.execute("INSERT OR REPLACE INTO lock_delays VALUES (?, ?)", held.key, ends_at)
    writer.execute("DELETE FROM lock_delays WHERE ends_at <= ?", writer.now)


def is_delayed(writer: Writer, key: bytes) -> bool:
    row = writer.row("SELECT ends_at FROM lock_delays WHERE key = ?", key)
    return row is not None and 0 < row["ends_at"] - writer.now <= MAX_LOCK_DELAY_SECONDS


def _store(writer: Writer, entry: Entry, there: Entry | None) -> Entry:
    """Writes the entry at this write's index, unless it stands there just so."""
    if there is not None:
        same = replace(entry, create_index=there.create_index, modify_index=there.modify_index)
        if same == there:
            return there
    created = there.create_index if there else writer.index
    now = replace(entry, create_index=created, modify_index=writer.index)
    writer.execute(
        "INSERT OR REPLACE INTO kv VALUES (?, ?, ?, ?, ?, ?, ?)",
        now.key,
        now.value,
        str(now.flags),
        now.session,
        now.lock_index,
        now.create_index,
        now.modify_index,
    )
    _changed(writer, now.key)
    return now


def _changed(writer: Writer, key: bytes) -> None:
    writer.bump(KVS)
    writer.wake(key_topic(key), *(prefix_topic(key[:end]) for end in range(len(key) + 1)))


def _bury(writer: Writer, key: bytes) -> None:
    writer.execute(
        "INSERT OR REPLACE INTO tombstones VALUES (?, ?, ?)", key, writer.index, writer.now
    )
    writer.execute("DELETE FROM tombstones WHERE made_at < ?", writer.now - TOMBSTONE_SECONDS)
    writer.bump(TOMBSTONES)


def _range(prefix: bytes) -> tuple[str, tuple[bytes, ...]]:
    """The keys with this prefix as a condition on `key` and its values."""
    whole = prefix.rstrip(b"\xff")
    if not whole:
        return "key >= ?", (prefix,)
    return "key >= ? AND key < ?", (prefix, whole[:-1] + bytes([whole[-1] + 1]))


def _entry(row: Any) -> Entry:
    return Entry(
        row["key"],
        row["value"],
        int(row["flags"]),
        row["session"],
        row["lock_index"],
        row["create_index"],
        row["modify_index"],
    )


def _document(
    key: bytes,
    value: bytes,
    flags: int | str,
    session: str | None,
    lock_index: int,
    create_index: int,
    modify_index: int,
) -> dict[str, Any]:
    """The API's form of a row of `kv`, column by column."""
    document: dict[str, Any] = {
        "LockIndex": lock_index,
        "Key": key.decode(errors="replace"),
        "Flags": int(flags),
        "Value": base64.b64encode(value).decode() if value else None,
    }
    if session:
        document["Session"] = session
    document["CreateIndex"] = create_index
    document["ModifyIndex"] = modify_index
    return document
