"""A service-intentions entry: brought into order, checked, and shown as the intentions it is made of. Pure.

Source: Consul API, "Service intentions"; the words of refusals are 1.22.0's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from .entries import Entry
from .errors import Refused
from .service_form import META_NAME_CHARACTERS, META_VALUE_CHARACTERS, MOST_META

KIND = "service-intentions"
ANY = "*"
ACTIONS = ("allow", "deny")
_EXACT_DESTINATION, _ANY_DESTINATION = 9, 6
_LEGACY = ("LegacyID", "LegacyMeta", "LegacyCreateTime", "LegacyUpdateTime")


def normal(
    name: str, sources: list[Entry], meta: Mapping[str, str] | None, *, is_legacy: bool
) -> Entry:
    """The entry as it is stored: types and precedences filled in, the first to be asked first. Refused if it is wrong.

    `is_legacy` keeps the ids and times of intentions that were made one by one in the old way.
    """
    ordered = [_source(name, source, is_legacy=is_legacy) for source in sources]
    ordered.sort(key=lambda source: -int(source["Precedence"]))
    _check(name, ordered, meta, is_legacy=is_legacy)
    entry = {
        "Kind": KIND,
        "Name": name,
        "Sources": ordered,
        **({"Meta": dict(meta)} if meta else {}),
    }
    digest = hashlib.blake2b(orjson.dumps(entry, option=orjson.OPT_SORT_KEYS), digest_size=8)
    return {**entry, "Hash": int.from_bytes(digest.digest(), "big")}


def intentions(entry: Mapping[str, Any]) -> list[Entry]:
    """Each source of the entry as an intention of its own."""
    return [_intention(entry, source) for source in entry["Sources"]]


def order(intention: Mapping[str, Any]) -> tuple[Any, ...]:
    """The order of evaluation, in which intentions are listed."""
    peer = intention.get("SourcePeer", "")
    return -intention["Precedence"], peer, intention["SourceName"], intention["DestinationName"]


def _intention(entry: Mapping[str, Any], source: Mapping[str, Any]) -> Entry:
    legacy_id, meta = source.get("LegacyID", ""), entry.get("Meta")
    if legacy_id:
        meta = source.get("LegacyMeta")
    shown: Entry = {
        "CreatedAt": source.get("LegacyCreateTime"),
        "UpdatedAt": source.get("LegacyUpdateTime"),
        "ID": legacy_id,
        "Description": source.get("Description"),
        "SourceNS": "default",
        "SourceName": source["Name"],
        "DestinationNS": "default",
        "DestinationName": entry["Name"],
        "SourcePeer": source.get("Peer"),
        "SourceType": source["Type"],
        "Action": source.get("Action"),
        "Meta": meta,
        "Precedence": source["Precedence"],
        "CreateIndex": entry["CreateIndex"],
        "ModifyIndex": entry["ModifyIndex"],
    }
    return {name: value for name, value in shown.items() if value not in (None, "", {})}


def _source(destination: str, source: Mapping[str, Any], *, is_legacy: bool) -> Entry:
    exact = _ANY_DESTINATION if destination == ANY else _EXACT_DESTINATION
    whole: Entry = {
        "Name": source.get("Name", ""),
        "Action": source.get("Action"),
        "Permissions": source.get("Permissions"),
        "Precedence": exact - 1 if source.get("Name") == ANY else exact,
        "LegacyID": source.get("LegacyID") if is_legacy else None,
        "Type": source.get("Type") or "consul",
        "Description": source.get("Description"),
        "LegacyMeta": source.get("LegacyMeta"),
        "LegacyCreateTime": source.get("LegacyCreateTime") if is_legacy else None,
        "LegacyUpdateTime": source.get("LegacyUpdateTime") if is_legacy else None,
        "Peer": source.get("Peer"),
    }
    return {
        name: value
        for name, value in whole.items()
        if name == "Name" or value not in (None, "", {}, [])
    }


def _check(
    name: str, sources: list[Entry], meta: Mapping[str, str] | None, *, is_legacy: bool
) -> None:
    fault = _fault(name, sources, meta, is_legacy=is_legacy)
    if fault:
        raise Refused(500, fault)


def _fault(
    name: str, sources: list[Entry], meta: Mapping[str, str] | None, *, is_legacy: bool
) -> str | None:
    if not name:
        return "Name is required"
    if wrong := _name_fault(name):
        return wrong
    if is_legacy and meta:
        return "Meta must be omitted for legacy intention writes"
    if wrong := _meta_fault(meta or {}):
        return wrong
    if not sources:
        return "At least one source is required"
    seen: set[tuple[str, str]] = set()
    for number, source in enumerate(sources):
        if wrong := _source_fault(source, f"Sources[{number}]", is_legacy=is_legacy):
            return wrong
        identity = (source.get("Peer", ""), source["Name"])
        if identity in seen:
            peer = f'peer("{identity[0]}") ' if identity[0] else ""
            return f'Sources[{number}] defines {peer}"{source["Name"]}" more than once'
        seen.add(identity)
    if any("Permissions" in source for source in sources):
        return f'service "{name}" has protocol "tcp", which is incompatible with L7 intentions permissions'
    return None


def _source_fault(source: Entry, where: str, *, is_legacy: bool) -> str | None:
    if not source["Name"]:
        return f"{where}.Name is required"
    if wrong := _name_fault(source["Name"]):
        return f"{where}.{wrong}"
    if len(source.get("Description", "")) > META_VALUE_CHARACTERS:
        return f"{where}.Description exceeds maximum length {META_VALUE_CHARACTERS}"
    if source.get("LegacyMeta") and not is_legacy:
        return f"{where}.LegacyMeta must be omitted"
    if "Permissions" in source:
        if "Action" in source:
            return f"{where}.Action must be omitted if Permissions are specified"
    elif source.get("Action") not in ACTIONS:
        return f"{where}.Action must be set to 'allow' or 'deny'"
    return None if source["Type"] == "consul" else f"{where}.Type must be set to 'consul'"


def _name_fault(name: str) -> str | None:
    if name != ANY and ANY in name:
        return "Name: wildcard character '*' cannot be used with partial values"
    return None


def _meta_fault(meta: Mapping[str, str]) -> str | None:
    if len(meta) > MOST_META:
        return f"Meta exceeds maximum element count {MOST_META}"
    for name, value in meta.items():
        if len(name) > META_NAME_CHARACTERS:
            return f'Meta key "{name}" exceeds maximum length {META_NAME_CHARACTERS}'
        if len(value) > META_VALUE_CHARACTERS:
            return f'Meta value for key "{name}" exceeds maximum length {META_VALUE_CHARACTERS}'
    return None


def without_legacy(source: Mapping[str, Any]) -> Entry:
    """The source as the config entry has it once it is no longer edited in the old way."""
    return {name: value for name, value in source.items() if name not in _LEGACY}
