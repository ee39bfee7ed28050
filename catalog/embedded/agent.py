"""The agent of a node over HTTP: its services and its checks, `/v1/agent/…`. The node is that of the listener."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from typing import Any

import orjson

from .agent_bodies import (
    CheckRegistration,
    ServiceRegistration,
    agent_check,
    agent_checks,
    agent_service,
    agent_services,
    definition,
)
from .answer import EMPTY, Answer
from .blocking import Question
from .body import Fields, parse_json, quoted
from .call import Call, Route
from .check_entries import delete as delete_check
from .check_form import OUTPUT_CHARACTERS, STATUSES
from .entries import Entry, node_services_topic
from .errors import Refused, bad_request
from .filter_fields import CHECK, SERVICE
from .lists import agent_filter_of
from .probes import Finding
from .service_entries import delete as delete_service
from .shared import DATACENTER
from .store import Reader, Writer


async def _register_service(call: Call) -> Answer:
    registration = ServiceRegistration.of(call.body)
    replace = "replace-existing-checks"
    is_replacing = replace in call.query and call.query.get(replace) in ("", "true")
    outputs = call.shared.checks.reports.outputs(call.node)
    check_ids = await call.store.write(
        lambda writer: registration.apply(
            writer, call.node, is_replacing_checks=is_replacing, outputs=outputs
        )
    )
    call.shared.checks.restart(call.node, check_ids)
    return EMPTY


async def _deregister_service(call: Call) -> Answer:
    return await _deregister(call, agent_service, delete_service, unknown_service)


async def _deregister(
    call: Call,
    find: Callable[[Reader, str, str], Entry | None],
    delete: Callable[[Writer, str, str], object],
    unknown: Callable[[str], Refused],
) -> Answer:
    def change(writer: Writer) -> None:
        if find(writer, call.node, call.rest) is None:
            raise unknown(call.rest)
        delete(writer, call.node, call.rest)

    await call.store.write(change)
    call.shared.checks.drop_gone()
    return EMPTY


async def _services(call: Call) -> Answer:
    wanted = agent_filter_of(call, SERVICE)
    found = call.store.read(lambda reader: agent_services(reader, call.node))
    shown = {service["ID"]: agent_form(service) for service in found}
    return Answer({name: shown[name] for name in sorted(shown) if wanted.keeps(shown[name])})


async def _service(call: Call) -> Answer:
    """With a hash of what it says; `?hash` waits until it says something else."""
    wait_s, known = Question.of(call).wait_s, call.query.get("hash")
    clock = asyncio.get_running_loop().time
    ends = clock() + wait_s
    while True:
        found = call.store.read(lambda reader: agent_service(reader, call.node, call.rest))
        if found is None:
            raise Refused(404, f"unknown service ID: {call.rest}")
        content = _content_hash(agent_form(found))
        topics = (node_services_topic(call.node),)
        if content != known or not await call.store.topics.wait(topics, ends - clock()):
            form = agent_form(found, content)
            return Answer(form, headers={"X-Consul-ContentHash": content})


async def _register_check(call: Call) -> Answer:
    registration = CheckRegistration.of(call.body)
    outputs = call.shared.checks.reports.outputs(call.node)
    check_id = await call.store.write(lambda writer: registration.apply(writer, call.node, outputs))
    call.shared.checks.restart(call.node, [check_id])
    return EMPTY


async def _deregister_check(call: Call) -> Answer:
    return await _deregister(call, agent_check, delete_check, _unknown_check)


async def _checks(call: Call) -> Answer:
    wanted = agent_filter_of(call, CHECK)
    found = call.store.read(lambda reader: own_checks(call, reader))
    return Answer({check["CheckID"]: check for check in found if wanted.keeps(check)})


def own_checks(call: Call, reader: Reader, service_id: str | None = None) -> list[Entry]:
    """The agent's checks with their newest output; it knows no indexes."""
    output = call.shared.checks.reports.output
    return [
        {
            **check,
            "Output": output(check["Node"], check["CheckID"], check["Output"]),
            "CreateIndex": 0,
            "ModifyIndex": 0,
        }
        for check in agent_checks(reader, call.node, service_id)
    ]


async def _pass(call: Call) -> Answer:
    return await _beat(call, "passing", call.query.get("note"))


async def _warn(call: Call) -> Answer:
    return await _beat(call, "warning", call.query.get("note"))


async def _fail(call: Call) -> Answer:
    return await _beat(call, "critical", call.query.get("note"))


async def _update(call: Call) -> Answer:
    try:
        fields = Fields(parse_json(call.body), "agent.checkUpdate")
        status, output = fields.text("Status"), fields.text("Output")
    except ValueError as error:
        raise bad_request(f"Request decode failed: {error}") from None
    if status not in STATUSES:
        raise bad_request(f"Invalid check status: '{status}'")
    return await _beat(call, status, output)


async def _beat(call: Call, status: str, output: str) -> Answer:
    found = call.store.read(lambda reader: definition(reader, call.node, call.rest))
    if found is None:
        raise _unknown_check(call.rest)
    if not found.ttl_ns:
        raise Refused(500, f"CheckID {quoted(call.rest)} does not have associated TTL")
    length = len(output)
    if length > OUTPUT_CHARACTERS:
        kept = output[:OUTPUT_CHARACTERS]
        output = f"{kept} ... (captured {OUTPUT_CHARACTERS} of {length} bytes)"
    await call.shared.checks.beat(call.node, call.rest, Finding(status, output))
    return EMPTY


def agent_form(service: Entry, content_hash: str = "") -> dict[str, Any]:
    """A service as its agent shows it."""
    addresses, path = service.get("TaggedAddresses"), service.get("SocketPath")
    return {
        "ID": service["ID"],
        "Service": service["Service"],
        "Tags": service["Tags"],
        "Meta": service["Meta"] or {},
        "Port": service.get("Port", 0),
        "Address": service["Address"],
        **({"SocketPath": path} if path else {}),
        **({"TaggedAddresses": addresses} if addresses else {}),
        "Weights": service["Weights"],
        "EnableTagOverride": service["EnableTagOverride"],
        **({"ContentHash": content_hash} if content_hash else {}),
        "Datacenter": DATACENTER,
    }


def unknown_service(service_id: str) -> Refused:
    return Refused(
        404,
        f"Unknown service ID {quoted(service_id)}. Ensure that the service ID is passed, not the service name.",
    )


def _unknown_check(check_id: str) -> Refused:
    return Refused(
        404,
        f"Unknown check ID {quoted(check_id)}. Ensure that the check ID is passed, not the check name.",
    )


def _content_hash(form: dict[str, Any]) -> str:
    whole = orjson.dumps(form, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(whole, digest_size=8).hexdigest()


ROUTES = (
    Route("/v1/agent/services", {"GET": _services}),
    Route("/v1/agent/service/", {"GET": _service}),
    Route("/v1/agent/service/register", {"PUT": _register_service}),
    Route("/v1/agent/service/deregister/", {"PUT": _deregister_service}),
    Route("/v1/agent/checks", {"GET": _checks}),
    Route("/v1/agent/check/register", {"PUT": _register_check}),
    Route("/v1/agent/check/deregister/", {"PUT": _deregister_check}),
    Route("/v1/agent/check/pass/", {"PUT": _pass}),
    Route("/v1/agent/check/warn/", {"PUT": _warn}),
    Route("/v1/agent/check/fail/", {"PUT": _fail}),
    Route("/v1/agent/check/update/", {"PUT": _update}),
)
