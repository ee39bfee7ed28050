"""Config entries over HTTP: `/v1/config`. Of Consul's kinds service-intentions are kept; the others are there and empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import intention_entries
from .answer import Answer
from .blocking import Reading, blocking
from .body import Fields, go_kind, parse_json
from .call import Call, Route
from .entries import Entry
from .errors import Refused, bad_request
from .intention_form import KIND, normal
from .lists import DONE
from .service_form import texts_by_name
from .store import Reader, Writer

EMPTY_KINDS = frozenset(
    [
        "service-defaults",
        "proxy-defaults",
        "service-router",
        "service-splitter",
        "service-resolver",
        "ingress-gateway",
        "terminating-gateway",
        "mesh",
        "exported-services",
        "sameness-group",
        "api-gateway",
        "bound-api-gateway",
        "inline-certificate",
        "file-system-certificate",
        "http-route",
        "tcp-route",
        "control-plane-request-limit",
        "jwt-provider",
    ]
)
_ENTRY = frozenset(["kind", "name", "sources", "meta", "hash", "createindex", "modifyindex"])
_SOURCE = frozenset(
    [
        "name",
        "action",
        "permissions",
        "precedence",
        "legacyid",
        "type",
        "description",
        "legacymeta",
        "legacycreatetime",
        "legacyupdatetime",
        "peer",
        "samenessgroup",
    ]
)
_ENTERPRISE = {"namespace": "namespaces", "partition": "partitions"}


def _get(call: Call, reader: Reader) -> Reading:
    """One entry, or all of a kind."""
    kind, slash, name = call.rest.partition("/")
    if kind and kind not in {KIND, *EMPTY_KINDS}:
        raise Refused(500, f"invalid config entry kind: {kind}")
    if "filter" in call.query and call.query.get("filter"):
        raise Refused(500, f"filtering not supported for config entry kind={kind}")
    index = reader.index_of(intention_entries.INDEX)
    if not slash:
        found = intention_entries.everything(reader) if kind in ("", KIND) else []
        return Reading(found, index, (intention_entries.TOPIC,))
    topics = (intention_entries.name_topic(name),)
    entry = intention_entries.find(reader, name) if kind == KIND else None
    if entry is None:
        words = f'Config entry not found for "{kind}" / "{name}"'
        return Reading(
            None,
            index,
            topics,
            404,
            words.encode(),
            "text/plain; charset=utf-8",
            is_absent=True,
        )
    return Reading(entry, index, topics)


async def _delete(call: Call) -> Answer:
    """`{}`; with `?cas` whether it was deleted."""
    kind, slash, name = call.rest.partition("/")
    if not slash:
        raise Refused(404, "Must provide both a kind and name to delete")
    if kind not in {KIND, *EMPTY_KINDS}:
        raise bad_request(f"invalid config entry kind: {kind}")
    cas = call.query.number("cas") if call.query.get("cas") else None
    if kind != KIND:
        return Answer({} if cas is None else False)

    def change(writer: Writer) -> bool:
        there = intention_entries.find(writer, name)
        if cas is not None and (there is None or there["ModifyIndex"] != cas):
            return False
        return intention_entries.delete(writer, name)

    is_deleted = await call.store.write(change)
    return Answer({} if cas is None else is_deleted)


async def _put(call: Call) -> Answer:
    """True; with `?cas` whether it was put."""
    try:
        entry = _entry(parse_json(call.body))
    except ValueError as error:
        raise bad_request(f"Request decoding failed: {error}") from None
    cas = call.query.number("cas") if call.query.get("cas") else None

    def change(writer: Writer) -> bool:
        there = intention_entries.find(writer, entry["Name"])
        is_same = there is not None and there["Hash"] == entry["Hash"]
        # One that stands there so is put whatever was seen, as Consul says.
        if not is_same and cas is not None and cas != (there["ModifyIndex"] if there else 0):
            return False
        intention_entries.put(writer, entry, is_moved_always=False)
        return True

    return DONE if await call.store.write(change) else Answer(False)  # noqa: FBT003  (the JSON document)


def _entry(found: Any) -> Entry:
    """ValueError with Consul's words for a body it cannot read, Refused for an entry that is wrong."""
    if not isinstance(found, Mapping):
        go = {"array": "[]interface {}", "string": "string", "number": "float64", "bool": "bool"}
        kind = go.get(go_kind(found), "nil")
        raise bad_request(
            "Request decoding failed:"
            f" '' expected type 'map[string]interface {{}}', got unconvertible type '{kind}'"
        )
    fields = _plain_fields(found)
    if "Kind" not in fields:
        raise ValueError("Payload does not contain a kind/Kind key at the top level")
    kind = fields.text("Kind")
    if kind in EMPTY_KINDS:
        raise Refused(
            501,
            f"config entries of the kind {kind} are not in the embedded registry: it has {KIND}; "
            "use a real Consul for them (meshnode dev --consul ADDR)",
        )
    if kind != KIND:
        raise ValueError(f"invalid config entry kind: {kind}")
    _refuse_unknown(found, _ENTRY, "")
    sources = [_source(one, number) for number, one in enumerate(found_list(fields))]
    return normal(fields.text("Name"), sources, texts_by_name(fields, "Meta"), is_legacy=False)


def found_list(fields: Fields) -> list[Any]:
    found = fields.raw("Sources")
    return [] if found is None else found if isinstance(found, list) else [found]


def _source(found: Any, number: int) -> Entry:
    if not isinstance(found, Mapping):
        raise bad_request(
            "Request decoding failed: decoding failed due to the following error(s):\n\n"
            f"'Sources[{number}]' expected a map or struct, got \"{go_kind(found)}\""
        )
    _refuse_unknown(found, _SOURCE, f"Sources[{number}].")
    fields = _plain_fields(found)
    if fields.text("SamenessGroup"):
        raise Refused(
            500, f"Sources[{number}].SamenessGroup: sameness groups are an enterprise-only feature"
        )
    return {
        "Name": fields.text("Name"),
        "Action": fields.text("Action"),
        "Permissions": fields.objects("Permissions") and fields.raw("Permissions"),
        "Type": fields.text("Type"),
        "Description": fields.text("Description"),
        "LegacyMeta": texts_by_name(fields, "LegacyMeta"),
        "Peer": fields.text("Peer"),
    }


def _plain_fields(found: Mapping[str, Any]) -> Fields:
    """Entries also come with underscores in their names, as files have them."""
    return Fields({name.replace("_", ""): value for name, value in found.items()})


def _refuse_unknown(found: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    wrong = []
    for name, value in found.items():
        plain = name.replace("_", "").casefold()
        if plain in _ENTERPRISE and value in ("", "default"):
            continue
        if plain in _ENTERPRISE:
            feature = f"{_ENTERPRISE[plain]} are a consul enterprise feature"
            wrong.append(f'\t* invalid config key "{where}{name}", {feature}')
        elif plain not in known:
            wrong.append(f'\t* invalid config key "{where}{name}"')
    if wrong:
        many = "1 error" if len(wrong) == 1 else f"{len(wrong)} errors"
        raise ValueError(f"{many} occurred:\n" + "\n".join(wrong) + "\n\n")


ROUTES = (
    Route("/v1/config", {"PUT": _put}),
    Route("/v1/config/", {"GET": blocking(_get), "DELETE": _delete}),
)
