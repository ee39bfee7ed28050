"""What the agent puts beside the proxy's answer, and how it reads."""

from dataclasses import replace
from typing import Any

from catalog import Instance, Intentions, IntentionSource, KvEntry, Problem, UnhealthyCheck
from meshnode.agent.unwell import Unwell
from meshnode.explain import (
    Known,
    explained,
    lines,
    question_of_connection,
    question_of_words,
)

NOW = 1_800_000_000.0
CRITICAL = UnhealthyCheck(
    "node-2", "c1", "http /health", "cart-1", "cart", "critical", "timeout\nand more"
)
ANSWER: dict[str, Any] = {
    "route": {"name": "shop", "key": "mesh/routes/shop", "index": 4711, "pattern": "shop.example/cart"},
    "considered": [
        {"name": "front", "key": "mesh/routes/front", "index": 7, "pattern": "shop.example/",
         "code": "outranked", "sentence": "shorter prefix"},
    ],
    "routes": 4,
    "normal": {"host": "shop.example", "path": "/cart/7"},
    "request": {
        "line": "GET /7 HTTP/1.1",
        "changes": [{"what": "path", "from": "/cart/7", "to": "/7", "by": "strip_prefix"}],
        "headers": [["host", "shop.example"]],
    },
    "response_changes": [],
    "split": [{"cluster": "cart", "weight": 1}],
    "cluster": "cart",
    "destination": "cart",
    "endpoints": [
        {"id": "cart-2", "node": "node-3", "address": "10.0.0.13:9000", "via": "mesh",
         "is_usable": True, "code": None, "sentence": None},
    ],
    "limits": ['service "cart" takes 9 requests at one time, counted on node-1', "and more"],
    "intention": {"name": "* => cart", "is_allowed": True, "decided_by": "node-3", "sentence": ""},
    "answer": None,
}  # fmt: skip


def instance(name: str, node: str, **fields: Any) -> Instance:
    number = node[-1]
    return Instance("cart", name, node, f"10.0.0.1{number}", port=9000, **fields)


KNOWN = Known(
    node="node-1",
    problems=(
        Problem("mesh/routes/other", 9, "error", "no arrow"),
        Problem("mesh/routes/old", 4650, "error", "unknown option"),
        Problem("mesh/routes/warned", 1, "warning", "no instance"),
        Problem("token", 0, "error", "not of a route"),
    ),
    keys=(KvEntry("mesh/routes/old", b"Shop.Example/ => x", 4650),),
    instances={
        "cart": (
            instance("cart-1", "node-2", status="critical"),
            instance("cart-2", "node-3"),
            instance("cart-3", "node-3", weight_passing=0),
        )
    },
    checks=(CRITICAL,),
    since=Unwell().after((), NOW - 99).after((CRITICAL,), NOW - 60).since,
    listeners={"edge": "0.0.0.0:8080"},
)


def whole(answer: dict[str, Any] = ANSWER, known: Known = KNOWN) -> dict[str, Any]:
    question = question_of_words("http://shop.example/cart/7").to_json()
    document = explained([question], {"generation": 3, "answers": [answer]}, known)
    found: dict[str, Any] = document["answers"][0]
    return found


def test_what_another_node_decides_is_filled_in() -> None:
    unknown = {
        **ANSWER["intention"],
        "name": None,
        "is_allowed": None,
        "sentence": "node-3 decides",
    }
    answer = {**ANSWER, "intention": unknown}
    denied = whole(answer)
    assert denied["intention"]["is_allowed"] is False
    assert denied["answer"]["reason"] == "intention_denied"
    rules = (Intentions("cart", (IntentionSource("*", "allow", precedence=8),), 5),)
    allowed = whole(answer, replace(KNOWN, intentions=rules))
    assert (allowed["intention"]["is_allowed"], allowed["answer"]) == (True, None)
    assert allowed["intention"]["name"] == "* => cart"


def test_each_instance_is_in_or_out_with_its_reason() -> None:
    told = {one["id"]: (one["is_usable"], one["sentence"]) for one in whole()["instances"]}
    assert told == {
        "cart-1": (False, 'check "http /health" critical'),
        "cart-2": (True, None),
        "cart-3": (False, "its weight in Consul is 0 while passing"),
    }


def test_refused_keys_that_speak_of_the_host_come_first() -> None:
    assert [one["key"] for one in whole()["refused"]] == ["mesh/routes/old", "mesh/routes/other"]


def test_the_text_has_every_step() -> None:
    text = lines(question_of_words("http://shop.example/cart/7"), whole(), NOW)
    assert text[0] == "GET shop.example /cart/7   as edge"
    told = "\n".join(text)
    for part in (
        "listener   0.0.0.0:8080 (edge)",
        "route      shop   mesh/routes/shop index 4711   3 others considered",
        "shorter prefix",
        "refused at index 4650, never in force: unknown option",
        "and 2 further away",
        "request    GET /7 HTTP/1.1",
        "/cart/7 → /7   by strip_prefix",
        "cluster    cart   3 instances, 1 usable",
        'out: check "http /health" critical since ',
        '("timeout")',
        'limits     service "cart" takes 9 requests at one time, counted on node-1\n           and more',
        "intention  edge => cart   allow, by node-3 (intention * => cart)",
        "answer     cart answers",
    ):
        assert part in told, part


def test_an_answer_of_the_mesh_itself() -> None:
    nothing: dict[str, Any] = {
        "route": None, "considered": [], "routes": 0, "normal": {"host": "x", "path": "/"},
        "request": None, "response_changes": [], "split": [], "cluster": None, "destination": None,
        "endpoints": [], "intention": None,
        "answer": {"status": 404, "reason": "no_route", "message": "no route takes x/"},
    }  # fmt: skip
    told = lines(question_of_words("http://x/"), whole(nothing, Known("node-1")), NOW)
    assert told[-2:] == ["answer     404 no_route", "           no route takes x/"]


def test_a_connection_reads_as_a_request_does() -> None:
    raw: dict[str, Any] = {**ANSWER, "request": None, "normal": None, "limits": [], "routes": 2}
    for words, listener in (("tcp :5432", "tcp:5432"), ("sni db.example", "websecure")):
        question = question_of_connection(words)
        assert question is not None
        known = replace(KNOWN, listeners={listener: "0.0.0.0:7"})
        document = explained([question.to_json()], {"answers": [raw]}, known)
        told = lines(question, document["answers"][0], NOW)
        assert told[:2] == [f"{words}   as edge", f"listener   0.0.0.0:7 ({listener})"]
        assert "intention  edge => cart   allow, by node-3 (intention * => cart)" in told
        assert told[-1] == "connection goes to cart"
        refused = {"status": 404, "reason": "no_route", "message": "no route takes it"}
        closed = lines(question, {**document["answers"][0], "answer": refused}, NOW)
        assert closed[-2:] == ["connection closed, no_route", "           no route takes it"]


def test_what_decides_what_a_port_takes_stands_behind_its_listener() -> None:
    answer = {**whole(), "detection": "its first bytes decide: and so on"}
    told = lines(question_of_words("http://shop.example/cart/7"), answer, NOW)
    assert told[2] == "detection  its first bytes decide: and so on"


def test_since_is_counted_from_when_the_check_became_so() -> None:
    other = UnhealthyCheck("node-2", "c1", "", "cart-1", "cart", "warning", "")
    first = Unwell().after((CRITICAL,), 10)

    def since(unwell: Unwell) -> tuple[float, bool]:
        return unwell.since["node-2", "c1"]

    assert since(first) == (10, True), "it may be older than this node"
    assert since(first.after((CRITICAL,), 20)) == (10, True)
    assert since(first.after((other,), 20)) == (20, False)
    assert since(first.after((), 20).after((CRITICAL,), 30)) == (30, False)
