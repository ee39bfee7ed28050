"""What an agent says of the health of its own services: `/v1/agent/health/service/…`, by a status of HTTP or a word."""

from __future__ import annotations

from typing import Any

from .agent import agent_form, own_checks
from .agent_bodies import agent_service, agent_services
from .answer import Answer
from .call import Call, Route
from .entries import Entry

_HTTP = {"passing": 200, "warning": 429, "critical": 503, "maintenance": 503}
_NO_DEFINITION = {
    "Interval": "0s",
    "Timeout": "0s",
    "DeregisterCriticalServiceAfter": "0s",
    "HTTP": "",
    "Header": None,
    "Method": "",
    "Body": "",
    "TLSServerName": "",
    "TLSSkipVerify": False,
    "TCP": "",
    "TCPUseTLS": False,
    "UDP": "",
    "GRPC": "",
    "OSService": "",
    "GRPCUseTLS": False,
}


async def _by_id(call: Call) -> Answer:
    service_id = call.named("serviceID").strip()
    found = call.store.read(lambda reader: agent_service(reader, call.node, service_id))
    if found is None:
        nothing = {"AggregatedStatus": "critical", "Service": None, "Checks": None}
        return _answer(call, 404, f"ServiceId {service_id} not found", nothing)
    whole = _info(call, found)
    status = whole["AggregatedStatus"]
    return _answer(call, _HTTP[status], status, whole)


async def _by_name(call: Call) -> Answer:
    """Of all instances here; the worst of them is the answer."""
    name = call.named("service Name")
    own = call.store.read(lambda reader: agent_services(reader, call.node))
    found = [_info(call, service) for service in own if service["Service"] == name]
    if not found:
        return _answer(call, 404, f"ServiceName {name} Not Found", [])
    worst = max((one["AggregatedStatus"] for one in found), key=lambda status: _HTTP[status])
    return _answer(call, _HTTP[worst], worst, found)


def _info(call: Call, service: Entry) -> dict[str, Any]:
    def relevant(service_id: str) -> list[Entry]:
        return call.store.read(lambda reader: own_checks(call, reader, service_id))

    checks = [*relevant(""), *relevant(service["ID"])]
    return {
        "AggregatedStatus": _aggregate(checks),
        "Service": agent_form(service),
        "Checks": [_check_form(check) for check in checks],
    }


def _aggregate(checks: list[Entry]) -> str:
    if any("_maintenance" in check["CheckID"] for check in checks):
        return "maintenance"
    there = {check["Status"] for check in checks}
    return next((status for status in ("critical", "warning") if status in there), "passing")


def _check_form(check: Entry) -> dict[str, Any]:
    """As Consul's client library has it: without type and interval, with an empty definition."""
    whole = {**check, "Type": "", "Definition": _NO_DEFINITION}
    if not check["ServiceID"]:
        whole["ServiceTags"] = None
    return {name: whole[name] for name in whole if name not in ("Interval", "Timeout")}


def _answer(call: Call, status: int, reason: str, document: Any) -> Answer:
    headers = {"X-Consul-Reason": reason}
    if call.query.get("format") == "text":
        return Answer(
            status=status, raw=reason.encode(), content_type="text/plain", headers=headers
        )
    return Answer(document, status, headers=headers)


ROUTES = (
    Route("/v1/agent/health/service/id/", {"GET": _by_id}),
    Route("/v1/agent/health/service/name/", {"GET": _by_name}),
)
