"""Maintenance of a node or a service over HTTP: a critical check of its own that stands as long as it lasts."""

from __future__ import annotations

from . import check_entries, entries
from .agent import unknown_service
from .agent_bodies import agent_service, put_agent_check
from .answer import EMPTY, Answer
from .body import quoted
from .call import Call, Route
from .check_form import Definition, check_document
from .errors import bad_request
from .store import Writer

NODE_CHECK = "_node_maintenance"
_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")


def service_check(service_id: str) -> str:
    return f"_service_maintenance:{service_id}"


async def _node(call: Call) -> Answer:
    is_on, reason = _is_on(call), call.query.get("reason")

    def change(writer: Writer) -> None:
        _set(writer, call.node, "", reason, is_on=is_on)

    await call.store.write(change)
    return EMPTY


async def _service(call: Call) -> Answer:
    service_id, is_on = call.named("service ID"), _is_on(call)
    reason = call.query.get("reason")

    def change(writer: Writer) -> None:
        if agent_service(writer, call.node, service_id) is None:
            raise unknown_service(service_id)
        _set(writer, call.node, service_id, reason, is_on=is_on)

    await call.store.write(change)
    return EMPTY


def _set(writer: Writer, node: str, service_id: str, reason: str, *, is_on: bool) -> None:
    """One that is on already keeps its reason."""
    check_id = service_check(service_id) if service_id else NODE_CHECK
    if not is_on:
        check_entries.delete(writer, node, check_id)
    elif entries.check(writer, node, check_id) is None:
        what = "service" if service_id else "node"
        document = check_document(
            node,
            check_id,
            f"{what.title()} Maintenance Mode",
            status="critical",
            notes=reason
            or f"Maintenance mode is enabled for this {what}, but no reason was provided. This is a default message.",
            kind="maintenance",
        )
        put_agent_check(writer, {**document, "ServiceID": service_id}, Definition())


def _is_on(call: Call) -> bool:
    if "enable" not in call.query:
        raise bad_request("Missing value for enable")
    text = call.query.get("enable")
    if text not in _TRUE + _FALSE:
        raise bad_request(f"Invalid value for enable: {quoted(text)}")
    return text in _TRUE


ROUTES = (
    Route("/v1/agent/maintenance", {"PUT": _node}),
    Route("/v1/agent/service/maintenance/", {"PUT": _service}),
)
