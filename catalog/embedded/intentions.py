"""Intentions over HTTP: `/v1/connect/intentions`. Each is one source of the service-intentions entry of its destination."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from . import intention_entries
from .answer import Answer
from .blocking import Reading, blocking, questioned
from .body import Fields, parse_json
from .call import Call, Query, Route
from .entries import Entry
from .errors import Refused, bad_request
from .filter_fields import INTENTION
from .intention_form import ACTIONS, intentions, normal, without_legacy
from .lists import DONE, chosen
from .service_form import refuse_unknown, texts_by_name
from .store import Reader, Writer

NOT_FOUND = "Intention not found"
_FIELDS = frozenset(
    [
        "id",
        "description",
        "sourcens",
        "sourcename",
        "destinationns",
        "destinationname",
        "sourcepartition",
        "destinationpartition",
        "sourcepeer",
        "sourcesamenessgroup",
        "sourcetype",
        "action",
        "permissions",
        "jwt",
        "defaultaddr",
        "defaultport",
        "meta",
        "precedence",
        "createdat",
        "updatedat",
        "hash",
        "createindex",
        "modifyindex",
    ]
)
_MOST_SLASHES = 2


def _list(call: Call, reader: Reader) -> Reading:
    found = chosen(call, INTENTION, intention_entries.all_intentions(reader))
    return Reading(found, reader.index_of(intention_entries.INDEX), (intention_entries.TOPIC,))


def _match(call: Call, reader: Reader) -> Reading:
    """What speaks of each `name`, by name."""
    side, names = call.query.get("by"), call.query.all("name")
    if "by" not in call.query:
        raise Refused(500, "required query parameter 'by' not set")
    if side not in ("source", "destination"):
        raise Refused(500, "'by' parameter must be one of 'source' or 'destination'")
    if not names:
        raise Refused(500, "required query parameter 'name' not set")
    found = {
        name: intention_entries.matching(reader, side, _plain(name, "name")) or None
        for name in names
    }
    return Reading(found, reader.index_of(intention_entries.INDEX), (intention_entries.TOPIC,))


async def _check(call: Call) -> Answer:
    """Whether the source may call the destination; where nothing is said, it may."""
    source, destination = _pair(call.query)
    decisive = call.store.read(
        lambda reader: intention_entries.decisive(reader, source, destination)
    )
    return Answer({"Allowed": decisive is None or decisive["Action"] == "allow"})


async def _get_exact(call: Call) -> Answer:
    source, destination = _pair(call.query, is_peer_taken=True)
    peer, _, name = source.rpartition("/")
    found = call.store.read(
        lambda reader: intention_entries.exact(
            reader, name, destination, peer.removeprefix("peer:")
        )
    )
    if found is None:
        raise Refused(404, NOT_FOUND)
    return Answer(found)


async def _put_exact(call: Call) -> Answer:
    source, destination = _pair(call.query)
    fields = _decoded(call, 400, "Request decode failed")
    wanted = _wanted(fields)

    def change(writer: Writer) -> None:
        there = intention_entries.find(writer, destination)
        _check_meta(fields, there)
        sources = _with(there, {**wanted, "Name": source})
        meta = there.get("Meta") if there else None
        entry = normal(destination, sources, meta, is_legacy=False)
        intention_entries.put(writer, entry, is_moved_always=True)

    await call.store.write(change)
    return DONE


async def _delete_exact(call: Call) -> Answer:
    """One that is gone already is no error."""
    source, destination = _pair(call.query)

    def change(writer: Writer) -> None:
        there = intention_entries.find(writer, destination)
        if there is not None and intention_entries.exact(writer, source, destination):
            left = [
                one for one in there["Sources"] if (one["Name"], one.get("Peer")) != (source, None)
            ]
            _put_left(writer, there, left, is_legacy=False)

    await call.store.write(change)
    return DONE


# The old way: an intention has an id of its own. Consul's command uses it where it is given an id.


async def _create(call: Call) -> Answer:
    fields = _decoded(call, 500, "Failed to decode request body")
    intention_id = str(uuid.uuid4())
    source, destination = fields.text("SourceName"), fields.text("DestinationName")
    if not destination:
        raise Refused(403, "Permission denied")
    if "ID" in fields and fields.text("ID"):
        raise Refused(500, "ID must be empty when creating a new intention")
    wanted = _legacy_wanted(fields, source, intention_id)

    def change(writer: Writer) -> None:
        there = intention_entries.find(writer, destination)
        own = there["Sources"] if there else []
        if any("LegacyID" not in one for one in own):
            raise Refused(
                500,
                f'cannot use legacy intention API to edit intentions with a destination of "{destination}" after '
                "editing them via a service-intentions config entry",
            )
        now = _time(writer.now)
        made = {**wanted, "LegacyCreateTime": now, "LegacyUpdateTime": now}
        entry = normal(destination, [*own, made], None, is_legacy=True)
        intention_entries.put(writer, entry, is_moved_always=True)

    await call.store.write(change)
    return Answer({"ID": intention_id})


async def _get_by_id(call: Call) -> Answer:
    _check_id(call.rest)
    found = call.store.read(lambda reader: _by_id(reader, call.rest))
    if found is None:
        raise Refused(404, NOT_FOUND)
    return Answer(next(one for one in intentions(found[0]) if one.get("ID") == call.rest))


async def _update_by_id(call: Call) -> Answer:
    fields = _decoded(call, 400, "Request decode failed")
    source, destination = fields.text("SourceName"), fields.text("DestinationName")
    wanted = _legacy_wanted(fields, source, call.rest)

    def change(writer: Writer) -> None:
        found = _by_id(writer, call.rest)
        if found is None:
            raise Refused(500, f"Cannot modify non-existent intention: '{call.rest}'")
        entry, old = found
        if entry["Name"] != destination:
            raise Refused(
                500,
                "Cannot modify Destination partition/namespace/name for an intention once it exists.",
            )
        times = {
            "LegacyCreateTime": old["LegacyCreateTime"],
            "LegacyUpdateTime": _time(writer.now),
        }
        own = [{**wanted, **times} if one is old else one for one in entry["Sources"]]
        changed = normal(destination, own, None, is_legacy=True)
        intention_entries.put(writer, changed, is_moved_always=True)

    await call.store.write(change)
    return Answer({"ID": call.rest})


async def _delete_by_id(call: Call) -> Answer:
    def change(writer: Writer) -> None:
        found = _by_id(writer, call.rest)
        if found is None:
            raise Refused(500, f"Cannot delete non-existent intention: '{call.rest}'")
        entry, old = found
        left = [one for one in entry["Sources"] if one is not old]
        _put_left(writer, entry, left, is_legacy=True)

    await call.store.write(change)
    return DONE


def _by_id(reader: Reader, intention_id: str) -> tuple[Entry, Entry] | None:
    """The entry and the source in it that has this id."""
    for entry in intention_entries.everything(reader):
        for source in entry["Sources"]:
            if source.get("LegacyID") == intention_id:
                return entry, source
    return None


def _check_id(text: str) -> None:
    if len(text) != len(str(uuid.NAMESPACE_DNS)):
        raise bad_request("failed config entry lookup: index error: UUID must be 36 characters")


def _put_left(writer: Writer, entry: Entry, left: list[Entry], *, is_legacy: bool) -> None:
    """The entry with the sources that are left of it; with none it goes."""
    if not left:
        intention_entries.delete(writer, entry["Name"])
        return
    changed = normal(entry["Name"], left, entry.get("Meta"), is_legacy=is_legacy)
    intention_entries.put(writer, changed, is_moved_always=True)


def _with(entry: Entry | None, source: Entry) -> list[Entry]:
    """The entry's sources with this one in the place of the one of its name, or behind them."""
    own = list(entry["Sources"]) if entry else []
    for number, one in enumerate(own):
        if one["Name"] == source["Name"] and "Peer" not in one:
            own[number] = without_legacy(source)
            return own
    return [*own, without_legacy(source)]


def _decoded(call: Call, status: int, what: str) -> Fields:
    try:
        fields = Fields(parse_json(call.body), "structs.Intention")
        refuse_unknown(fields, _FIELDS)
        _wanted(fields)
        texts_by_name(fields, "Meta")
    except ValueError as error:
        raise Refused(status, f"{what}: {error}") from None
    return fields


def _wanted(fields: Fields) -> Entry:
    return {
        "Action": fields.text("Action"),
        "Type": fields.text("SourceType"),
        "Description": fields.text("Description"),
        "Permissions": fields.objects("Permissions") and fields.raw("Permissions"),
    }


def _legacy_wanted(fields: Fields, source: str, intention_id: str) -> Entry:
    """Refused with Consul's list of what is wrong."""
    wrong = []
    if not source:
        wrong.append("SourceName must be set")
    if not fields.text("DestinationName"):
        wrong.append("DestinationName must be set")
    if fields.text("Action") not in ACTIONS:
        wrong.append("Action must be set to 'allow' or 'deny'")
    if fields.raw("Permissions"):
        wrong.append("Permissions must not be set when using the legacy APIs")
    if wrong:
        many = "1 error" if len(wrong) == 1 else f"{len(wrong)} errors"
        listed = "".join(f"\t* {one}\n" for one in wrong)
        raise Refused(500, f"{many} occurred:\n{listed}\n")
    return {
        **_wanted(fields),
        "Name": source,
        "LegacyID": intention_id,
        "LegacyMeta": texts_by_name(fields, "Meta"),
    }


def _check_meta(fields: Fields, there: Entry | None) -> None:
    """Metadata stands at the entry, so here it may only be what the entry has."""
    meta = texts_by_name(fields, "Meta")
    if meta and there is None:
        raise Refused(500, "Meta must not be specified")
    if meta and there is not None and meta != there.get("Meta"):
        raise Refused(500, "Meta must not be specified, or should be unchanged during an update.")


def _pair(query: Query, *, is_peer_taken: bool = False) -> tuple[str, str]:
    """Source and destination; the source with its peer in front of a slash where one is taken."""
    for name in ("source", "destination"):
        if not query.get(name) or len(query.all(name)) != 1:
            raise Refused(500, f"required query parameter '{name}' not set")
    source = query.get("source")
    if is_peer_taken and source.startswith("peer:"):
        peer, _, name = source.partition("/")
        if not name:
            raise Refused(
                500, f'source "{source}" is invalid: need to specify the service name as well'
            )
        return f"{peer}/{name.rpartition('/')[2]}", _plain(query.get("destination"), "destination")
    return _plain(source, "source"), _plain(query.get("destination"), "destination")


def _plain(text: str, what: str) -> str:
    """The service of `partition/namespace/service`: there is one namespace here, whatever it is called."""
    if text.startswith("peer:"):
        raise Refused(500, f'{what} "{text}" is invalid: cannot specify a peer here')
    if text.count("/") > _MOST_SLASHES:
        raise Refused(500, f"{what} \"{text}\" is invalid: input can contain at most two '/'")
    return text.rpartition("/")[2]


def _time(now_s: float) -> Any:
    return datetime.fromtimestamp(now_s, UTC).isoformat().replace("+00:00", "Z")


ROUTES = (
    Route("/v1/connect/intentions", {"GET": blocking(_list), "POST": _create}),
    Route("/v1/connect/intentions/match", {"GET": blocking(_match)}),
    Route("/v1/connect/intentions/check", {"GET": questioned(_check)}),
    Route(
        "/v1/connect/intentions/exact",
        {"GET": questioned(_get_exact), "PUT": _put_exact, "DELETE": _delete_exact},
    ),
    Route(
        "/v1/connect/intentions/",
        {"GET": _get_by_id, "PUT": _update_by_id, "DELETE": _delete_by_id},
    ),
)
