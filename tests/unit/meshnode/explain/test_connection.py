"""A raw connection that was, out of the steps its trace has: read, asked about today, told."""

from __future__ import annotations

from typing import Any

import pytest

from meshnode.explain import (
    PastConnection,
    Question,
    past_lines,
    past_of_trace,
    questions_of_trace,
)
from observability import Span, Trace

NEAR: dict[str, Any] = {
    "network.transport": "tcp", "mesh.direction": "edge", "mesh.listener": "tcp:5432",
    "client.address": "10.0.0.9", "mesh.route": "db", "mesh.config.key": "mesh/routes/db",
    "mesh.config.index": 4720, "mesh.source": "edge", "mesh.destination": "postgres",
    "mesh.node": "node-1", "mesh.endpoint": "postgres-1",
    "mesh.received_bytes": 20, "mesh.sent_bytes": 14, "mesh.ended_by": "client",
}  # fmt: skip
FAR: dict[str, Any] = {
    "network.transport": "tcp", "mesh.direction": "inbound", "mesh.listener": "mesh",
    "mesh.source": "edge", "mesh.destination": "postgres", "mesh.node": "node-2",
    "mesh.endpoint": "postgres-1", "mesh.intention": "edge => postgres",
    "mesh.received_bytes": 20, "mesh.sent_bytes": 14, "mesh.ended_by": "client",
}  # fmt: skip
NOTHING_MOVED = ("mesh.received_bytes", "mesh.sent_bytes", "mesh.ended_by")


def connection(
    near: dict[str, Any], far: dict[str, Any] | None = None, name: str = "tcp :5432"
) -> PastConnection:
    spans = [Span("b" * 16, None, name, "edge", 1_800_000_000_000_000, 3_200_000, near, {})]
    if far is not None:
        spans.append(Span("c" * 16, "b" * 16, "tcp postgres", "postgres", 5, 1, far, {}))
    past = past_of_trace(Trace("a" * 32, tuple(spans)))
    assert isinstance(past, PastConnection)
    return past


def without(attributes: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if name not in names}


def test_a_connection_is_told_step_by_step() -> None:
    past = connection(NEAR, FAR)
    told = past_lines(past)
    assert told[0].startswith("trace aaaaaaaa   a connection of 20")
    assert told[0].endswith(", for 3.2 s")
    assert told[1:] == [
        "tcp :5432   as edge, from 10.0.0.9",
        "listener   tcp:5432 on node-1",
        "route      db   mesh/routes/db index 4720",
        "instance   postgres-1 of postgres on node-2",
        "intention  edge => postgres   allow (intention edge => postgres)",
        "bytes      20 received, 14 sent",
        "ended      who opened it closed it",
    ]
    document = past.to_json()
    assert (document["instance_node"], document["received_bytes"]) == ("node-2", 20)
    assert (document["listener"], document["intention"]) == ("tcp:5432", "edge => postgres")


@pytest.mark.parametrize(
    ("attributes", "name", "question"),
    [
        (NEAR, "tcp :5432", Question(":5432", "", scheme="tcp", client_address="10.0.0.9")),
        (
            {**NEAR, "mesh.listener": "websecure", "server.address": "a.db.example"},
            "tcp *.db.example",
            Question("a.db.example", "", scheme="tls", client_address="10.0.0.9"),
        ),
        (
            without(
                {**NEAR, "mesh.direction": "outbound", "mesh.source": "web", "mesh.listener": "web:postgres"},
                "client.address",
            ),
            "tcp postgres",
            Question("postgres", "", scheme="tcp", source="web", listener="web:postgres"),
        ),
    ],
)  # fmt: skip
def test_the_same_connection_is_asked_about_today(
    attributes: dict[str, Any], name: str, question: Question
) -> None:
    past = connection(attributes, name=name)
    assert past.question == question
    assert past.words == question.line
    listener = question.listener or "edge"
    assert question.to_json()["listener"] == listener


@pytest.mark.parametrize(
    ("attributes", "name", "words", "why"),
    [
        ({**NEAR, "mesh.listener": "websecure"}, "tcp *.db.example", "tcp *.db.example", "does not say"),
        (FAR, "tcp postgres", "tcp postgres", "the step of the caller's node is missing"),
    ],
)  # fmt: skip
def test_what_can_not_be_asked_again_says_why(
    attributes: dict[str, Any], name: str, words: str, why: str
) -> None:
    past = connection(attributes, name=name)
    assert (past.question, past.words) == (None, words)
    assert why in past.note


@pytest.mark.parametrize(
    ("detected", "name", "line"),
    [
        ("tls", "db.example", "detection  TLS, moved as it is (for db.example)"),
        ("tls", "", "detection  TLS, moved as it is"),
        ("silent", "", "detection  nothing was said at first, so the server was let speak"),
        ("tcp", "", "detection  bytes of no protocol that is known here, moved as they are"),
    ],
)
def test_what_it_turned_out_to_speak_is_told(detected: str, name: str, line: str) -> None:
    near = {**NEAR, "mesh.direction": "outbound", "mesh.listener": "web:postgres"}
    past = connection({**near, "mesh.detected": detected, "server.address": name})
    assert past_lines(past)[3] == line
    document = past.to_json()
    assert (document["detected"], document["server_name"]) == (detected, name or None)
    assert past.question is not None


def test_a_refused_one_names_who_refused() -> None:
    near = {**without(NEAR, *NOTHING_MOVED), "mesh.reason": "intention_denied"}
    far = {**without(FAR, *NOTHING_MOVED), "mesh.reason": "intention_denied"}
    assert past_lines(connection(near, far))[-3:] == [
        "intention  edge => postgres   deny (intention edge => postgres)",
        "ended      closed at its beginning, intention_denied",
        "           postgres refused edge: intention edge => postgres (deny)",
    ]


def test_no_route_and_no_instance() -> None:
    near = without(NEAR, *NOTHING_MOVED, "mesh.route", "mesh.destination", "mesh.endpoint")
    told = past_lines(connection({**near, "mesh.reason": "no_route"}))
    assert told[2:] == [
        "listener   tcp:5432 on node-1",
        "ended      closed at its beginning, no_route",
        "           no route takes it",
    ]
    near = without(NEAR, *NOTHING_MOVED, "mesh.endpoint")
    told = past_lines(connection({**near, "mesh.reason": "no_healthy_endpoint"}))
    assert told[4] == "instance   none of postgres"


@pytest.mark.parametrize("rule", ["intention", "identity", "idle"])
def test_what_cut_it_is_told_by_who_did(rule: str) -> None:
    """To the edge, a rule of the other node is a reset."""
    far = {**FAR, "mesh.ended_by": rule, "mesh.reason": "intention_denied"}
    past = connection({**NEAR, "mesh.ended_by": "upstream_reset"}, far)
    assert (past.ended_by, past.sentence) == (rule, "")
    told = past_lines(past)
    assert told[-1].endswith(", intention_denied")
    assert "allow (intention edge => postgres)" in told[-3], "by which it was let in"


def test_a_plan_asks_about_requests_alone() -> None:
    attributes = {**NEAR, "server.address": "db.example"}
    span = Span("b" * 16, None, "tcp db.example", "edge", 5, 1, attributes, {})
    assert list(questions_of_trace(Trace("a" * 32, (span,)))) == []
