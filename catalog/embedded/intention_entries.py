"""How service-intentions entries come, change and go. Both doors to them, the entries' and the intentions', go through here."""

from __future__ import annotations

import orjson

from .entries import Entry
from .intention_form import ANY, KIND, intentions, order
from .store import Reader, Writer

INDEX = "config-entries"
TOPIC = f"{INDEX}.{KIND}"


def name_topic(name: str) -> str:
    return f"{TOPIC}.{name.lower()}"


def find(reader: Reader, name: str) -> Entry | None:
    row = reader.row("SELECT * FROM config_entries WHERE kind = ? AND name = ?", KIND, name)
    return _shown(row) if row else None


def everything(reader: Reader) -> list[Entry]:
    """Sorted by destination."""
    rows = reader.rows("SELECT * FROM config_entries WHERE kind = ? ORDER BY name", KIND)
    return [_shown(row) for row in rows]


def all_intentions(reader: Reader) -> list[Entry]:
    """In the order of evaluation."""
    return sorted((one for entry in everything(reader) for one in intentions(entry)), key=order)


def matching(reader: Reader, side: str, name: str) -> list[Entry]:
    """Those that speak of this `source` or `destination`, the first to decide first."""
    field = "SourceName" if side == "source" else "DestinationName"
    return [one for one in all_intentions(reader) if one[field] in (name, ANY)]


def decisive(reader: Reader, source: str, destination: str) -> Entry | None:
    """The one that decides whether this source may call that destination; None where nothing is said."""
    for one in matching(reader, "destination", destination):
        if one["SourceName"] in (source, ANY) and "SourcePeer" not in one:
            return one
    return None


def exact(reader: Reader, source: str, destination: str, peer: str = "") -> Entry | None:
    entry = find(reader, destination)
    for one in intentions(entry) if entry else ():
        if (one["SourceName"], one.get("SourcePeer", "")) == (source, peer):
            return one
    return None


def put(writer: Writer, entry: Entry, *, is_moved_always: bool) -> None:
    """Makes or changes an entry; one that stands there so keeps its index unless it `is_moved_always`."""
    there = find(writer, entry["Name"])
    if there is not None and there["Hash"] == entry["Hash"] and not is_moved_always:
        return
    writer.execute(
        "INSERT INTO config_entries VALUES (?1, ?2, ?3, ?4, ?4)"
        " ON CONFLICT DO UPDATE SET document = ?3, modify_index = ?4",
        KIND,
        entry["Name"],
        orjson.dumps(entry).decode(),
        writer.index,
    )
    _moved(writer, entry["Name"])


def delete(writer: Writer, name: str) -> bool:
    """Whether there was one."""
    sql = "DELETE FROM config_entries WHERE kind = ? AND name = ?"
    if not writer.execute(sql, KIND, name):
        return False
    _moved(writer, name)
    return True


def _moved(writer: Writer, name: str) -> None:
    writer.bump(INDEX)
    writer.wake(TOPIC, name_topic(name))


def _shown(row: object) -> Entry:
    document: Entry = orjson.loads(row["document"])  # type: ignore[index]
    document["CreateIndex"], document["ModifyIndex"] = row["create_index"], row["modify_index"]  # type: ignore[index]
    return document
