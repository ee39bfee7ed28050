"""Consul's JSON made into our values. Pure; a field that is missing or of a wrong type is ConsulAnswerError, not a guess."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, Literal, ParamSpec, TypeVar, cast

from .errors import ConsulAnswerError
from .model import Instance, Intentions, IntentionSource, KvEntry, Status
from .update import UnhealthyCheck

_P = ParamSpec("_P")
_R = TypeVar("_R")

NOTE_CHARACTERS = 200
"""How much of a check's output is kept: enough for a sentence in `explain`, whatever a script prints."""

_STATUSES: tuple[Status, ...] = ("passing", "warning", "critical", "maintenance")


def _strict(parse: Callable[_P, _R]) -> Callable[_P, _R]:
    """What Consul's documents promise and an answer does not hold becomes one kind of error."""

    @wraps(parse)
    def checked(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return parse(*args, **kwargs)
        except (KeyError, TypeError, ValueError, AttributeError, binascii.Error) as error:
            raise ConsulAnswerError(200, f"an answer of a strange shape ({error!r})") from error

    return checked


@_strict
def kv_entries(document: Any, known: Mapping[str, KvEntry] | None = None) -> tuple[KvEntry, ...]:
    """`GET /v1/kv/<prefix>?recurse`, sorted by key. What is unchanged against `known` is the same object again."""
    known = known or {}
    return tuple(
        sorted((_kv_entry(item, known.get(item["Key"])) for item in _list(document)), key=_key)
    )


@_strict
def kv_names(document: Any) -> list[str]:
    """`GET /v1/kv/<prefix>?keys`, sorted as Consul does; of a prefix without keys none."""
    return [str(name) for name in _list(document)]


@_strict
def instances(document: Any) -> tuple[Instance, ...]:
    """`GET /v1/health/service/<service>`, sorted by node and id."""
    return tuple(
        sorted(
            (
                _instance(item["Service"], item["Node"], worst(map(check_status, item["Checks"])))
                for item in _list(document)
            ),
            key=lambda instance: (instance.node, instance.id),
        )
    )


@_strict
def node_services(document: Any) -> tuple[Instance, ...]:
    """`GET /v1/catalog/node/<node>`, sorted by service and id; none for a node the catalog does not know."""
    if document is None:
        return ()
    found = (_instance(item, document["Node"], "passing") for item in document["Services"].values())
    return tuple(sorted(found, key=lambda instance: (instance.service, instance.id)))


@_strict
def node_create_index(document: Any) -> int | None:
    """`GET /v1/catalog/node/<node>`: when the node came into the catalog, None where it is not in it."""
    return None if document is None else _number(document["Node"]["CreateIndex"])


@_strict
def intentions(document: Any) -> tuple[Intentions, ...]:
    """`GET /v1/config/service-intentions`, sorted by destination; sources in Consul's order of precedence."""
    return tuple(
        sorted(
            (
                Intentions(
                    destination=_text(entry["Name"]),
                    sources=tuple(map(_intention_source, entry.get("Sources") or ())),
                    modify_index=_number(entry["ModifyIndex"]),
                )
                for entry in _list(document)
            ),
            key=lambda entry: entry.destination,
        )
    )


@_strict
def services(document: Any) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """`GET /v1/catalog/services`: names and tags, both sorted."""
    return tuple(
        sorted(
            (_text(name), tuple(sorted(tags or ()))) for name, tags in _mapping(document).items()
        )
    )


@_strict
def unhealthy_checks(document: Any) -> tuple[UnhealthyCheck, ...]:
    """`GET /v1/health/state/any` filtered, sorted by node and check."""
    return tuple(
        sorted(
            (
                UnhealthyCheck(
                    node=_text(item["Node"]),
                    check_id=_text(item["CheckID"]),
                    name=item.get("Name") or "",
                    service_id=item.get("ServiceID") or "",
                    service=item.get("ServiceName") or "",
                    status=check_status(item),
                    note=_note(item),
                )
                for item in _list(document)
            ),
            key=lambda check: (check.node, check.check_id),
        )
    )


def _note(check: Mapping[str, Any]) -> str:
    """What the check said last; of maintenance the reason somebody gave, which Consul keeps in `Notes`."""
    notes = check.get("Notes") if check_status(check) == "maintenance" else ""
    return str(check.get("Output") or notes or "").strip()[:NOTE_CHARACTERS]


def check_status(check: Mapping[str, Any]) -> Status:
    """One check's status; `maintenance` for Consul's own marks of it."""
    check_id = _text(check["CheckID"])
    if check_id == "_node_maintenance" or check_id.startswith("_service_maintenance:"):
        return "maintenance"
    status = check["Status"]
    if status not in _STATUSES:
        raise ValueError(f"a check's status is {status!r}")
    return cast("Status", status)


def worst(statuses: Iterable[Status]) -> Status:
    """The worst of them; `passing` of none."""
    return max(statuses, key=_STATUSES.index, default="passing")


def _key(entry: KvEntry) -> str:
    return entry.key


def _kv_entry(item: Mapping[str, Any], known: KvEntry | None) -> KvEntry:
    session = item.get("Session")
    if (
        known is not None
        and known.modify_index == item["ModifyIndex"]
        and known.create_index == item["CreateIndex"]
        and known.lock_index == item["LockIndex"]
        and known.session == session
    ):
        return known
    value = item["Value"]
    return KvEntry(
        key=_text(item["Key"]),
        value=b"" if value is None else b64decode(value, validate=True),
        modify_index=_number(item["ModifyIndex"]),
        create_index=_number(item["CreateIndex"]),
        lock_index=_number(item["LockIndex"]),
        flags=_number(item["Flags"]),
        session=session,
    )


def _instance(service: Mapping[str, Any], node: Mapping[str, Any], status: Status) -> Instance:
    weights = service.get("Weights") or {}
    return Instance(
        service=_text(service["Service"]),
        id=_text(service["ID"]),
        node=_text(node["Node"]),
        node_address=_text(node["Address"]),
        address=service.get("Address") or "",
        port=_number(service.get("Port", 0)),  # Consul leaves a port of 0 out
        tags=tuple(service.get("Tags") or ()),
        meta=tuple(sorted((service.get("Meta") or {}).items())),
        weight_passing=_number(weights.get("Passing", 1)),
        weight_warning=_number(weights.get("Warning", 1)),
        status=status,
        kind=service.get("Kind") or "",
        node_create_index=_number(node.get("CreateIndex", 0)),
    )


def _intention_source(source: Mapping[str, Any]) -> IntentionSource:
    action = source.get("Action") or None
    if action not in ("allow", "deny", None):
        raise ValueError(f"an intention's action is {action!r}")
    return IntentionSource(
        name=_text(source["Name"]),
        action=cast("Literal['allow', 'deny'] | None", action),
        has_permissions=bool(source.get("Permissions")),
        precedence=_number(source.get("Precedence", 0)),
        description=source.get("Description") or "",
        peer=source.get("Peer") or "",
        namespace=_named(source.get("Namespace")),
        partition=_named(source.get("Partition")),
        sameness_group=source.get("SamenessGroup") or "",
    )


def _named(value: str | None) -> str:
    return "" if value in (None, "default") else value


def _list(document: Any) -> list[Any]:
    """None is none: a 404, and what Go makes of a list that was never filled."""
    if document is None:
        return []
    if not isinstance(document, list):
        raise TypeError(f"a list is {type(document).__name__}")
    return document


def _mapping(document: Any) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise TypeError(f"a mapping is {type(document).__name__}")
    return document


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a text is {value!r}")
    return value


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"a number is {value!r}")
    return value
