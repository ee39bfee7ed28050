"""`/v1/session/`: made, renewed, destroyed, and lost with their node or checks. Locks are kv_entries' business, time the timers'."""

from __future__ import annotations

import uuid
from typing import Any

import orjson

from .answer import Answer
from .blocking import Reading, blocking, questioned
from .body import LEAST_INT, MOST_INT, Fields, parse_json
from .call import Call, Route
from .durations import HOUR_NS, SECOND_NS, format_duration, parse_duration
from .errors import Refused, bad_request
from .session_entries import DELETE, RELEASE, SESSIONS, changed, lose, node_topic, session_topic
from .session_timers import ttl_ns
from .store import Reader, Writer

SERF_CHECK = "serfHealth"
LEAST_TTL_NS, MOST_TTL_NS = 10 * SECOND_NS, 24 * HOUR_NS
DEFAULT_LOCK_DELAY_NS = 15 * SECOND_NS
# A smaller number is meant as seconds.
LEAST_LOCK_DELAY_NS = 1000


async def create(call: Call) -> Answer:
    try:
        document = _document(parse_json(call.body) if call.body else {}, call.node)
    except ValueError as error:
        raise bad_request(f"Request decode failed: {error}") from None
    _check(document)
    session = str(uuid.uuid4())
    await call.store.write(lambda writer: _insert(writer, {"ID": session, **document}))
    call.shared.timers.start(session, document["TTL"])
    return Answer({"ID": session})


async def destroy(call: Call) -> Answer:
    session = call.named("session")
    await call.store.write(lambda writer: lose(writer, session))
    call.shared.timers.stop(session)
    return Answer(document=True)


async def renew(call: Call) -> Answer:
    session = call.named("session")
    found = call.store.read(lambda reader: _found(reader, "id = ?", session))
    if not found:
        raise Refused(404, f"Session id '{session}' not found")
    call.shared.timers.start(found[0]["ID"], found[0]["TTL"])
    return Answer(found)


def info(call: Call, reader: Reader) -> Reading:
    session = call.named("session")
    found = _found(reader, "id = ?", session)
    topics = (session_topic(session),)
    return Reading(found, reader.index_of(SESSIONS), topics, is_absent=not found)


def of_node(call: Call, reader: Reader) -> Reading:
    node = call.named("node name")
    return Reading(_found(reader, "node = ?", node), reader.index_of(SESSIONS), (node_topic(node),))


def all_of_them(_call: Call, reader: Reader) -> Reading:
    return Reading(_found(reader, "1"), reader.index_of(SESSIONS), (SESSIONS,))


def ttls(reader: Reader) -> list[tuple[str, str]]:
    """Every session's id and TTL."""
    return [(session["ID"], session["TTL"]) for session in _found(reader, "1")]


def _document(found: Any, node: str) -> dict[str, Any]:
    """The session as the API shows it, from a body. ValueError for one that cannot be read."""
    fields = Fields(found, "struct { LockDelay interface {}; *structs.Alias }", ".Alias")
    given = {name.casefold() for name in fields.original}
    checks = fields.texts("Checks") if "checks" in given else [SERF_CHECK]
    node_checks = fields.texts("NodeChecks") if "nodechecks" in given else [SERF_CHECK]
    service_checks = fields.objects("ServiceChecks")
    if not checks:
        node_checks = []
    if not node_checks or checks == [SERF_CHECK]:
        checks = None
    document = {
        "Name": fields.text("Name"),
        "Node": fields.text("Node", node),
        "LockDelay": _lock_delay_ns(fields),
        "Behavior": fields.text("Behavior", RELEASE) or RELEASE,
        "TTL": fields.text("TTL"),
        "NodeChecks": node_checks,
        "ServiceChecks": None
        if service_checks is None
        else [
            {"ID": check.text("ID"), "Namespace": check.text("Namespace")}
            for check in service_checks
        ],
    }
    return {**document, "Checks": checks} if checks else document


def _lock_delay_ns(fields: Fields) -> int:
    value = fields.raw("LockDelay")
    if value is None:
        return DEFAULT_LOCK_DELAY_NS
    if isinstance(value, str):
        delay = parse_duration(value)
    else:
        delay = int(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0
    delay = delay * SECOND_NS if delay < LEAST_LOCK_DELAY_NS else delay
    return (
        delay if LEAST_INT <= delay <= MOST_INT else 0
    )  # which is what is left when Go's runs over


def _check(document: dict[str, Any]) -> None:
    """Refuses what Consul does, in its order."""
    if not document["Node"]:
        raise Refused(500, "Must provide Node")
    if document["Behavior"] not in (RELEASE, DELETE):
        raise Refused(500, f"Invalid Behavior setting '{document['Behavior']}'")
    try:
        ttl = ttl_ns(document["TTL"])
    except ValueError as error:
        raise Refused(500, f"Session TTL '{document['TTL']}' invalid: {error}") from None
    if ttl and not LEAST_TTL_NS <= ttl <= MOST_TTL_NS:
        least, most = format_duration(LEAST_TTL_NS), format_duration(MOST_TTL_NS)
        raise Refused(500, f"Invalid Session TTL '{ttl}', must be between [{least}={most}]")


def _insert(writer: Writer, document: dict[str, Any]) -> None:
    node, session = document["Node"], document["ID"]
    if writer.row("SELECT name FROM nodes WHERE name = ?", node) is None:
        raise Refused(500, "apply failed: Missing node registration")
    named = [check["ID"] for check in document["ServiceChecks"] or ()]
    for check_id in (*document.get("Checks", ()), *(document["NodeChecks"] or ()), *named):
        check = writer.row("SELECT status FROM checks WHERE node = ? AND id = ?", node, check_id)
        if check is None:
            raise Refused(500, f"apply failed: Missing check '{check_id}' registration")
        if check["status"] == "critical":
            raise Refused(500, f"apply failed: Check '{check_id}' is in critical state")
        writer.execute(
            "INSERT OR IGNORE INTO session_checks VALUES (?, ?, ?)", node, check_id, session
        )
    writer.execute(
        "INSERT INTO sessions VALUES (?1, ?2, ?3, ?4, ?4)",
        session,
        node,
        orjson.dumps(document).decode(),
        writer.index,
    )
    changed(writer, session, node)


def _found(reader: Reader, where: str, *values: object) -> list[dict[str, Any]]:
    return [
        {
            **orjson.loads(row["document"]),
            "CreateIndex": row["create_index"],
            "ModifyIndex": row["modify_index"],
        }
        for row in reader.rows(f"SELECT * FROM sessions WHERE {where} ORDER BY id", *values)  # noqa: S608  (ours)
    ]


ROUTES = (
    Route("/v1/session/create", {"PUT": create}),
    Route("/v1/session/destroy/", {"PUT": destroy}),
    Route("/v1/session/renew/", {"PUT": questioned(renew)}),
    Route("/v1/session/info/", {"GET": blocking(info)}),
    Route("/v1/session/node/", {"GET": blocking(of_node)}),
    Route("/v1/session/list", {"GET": blocking(all_of_them)}),
)
