"""What the agent puts beside the proxy's answer, and how it reads."""

from dataclasses import replace
from typing import Any

import pytest

from catalog import (
    Instance,
    Intentions,
    IntentionSource,
    KvEntry,
    Problem,
    UnhealthyCheck,
    compile_snapshot,
    decide_policies,
    state_alone,
)
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


def test_a_warning_that_takes_an_instance_out_is_told_with_its_check_and_the_policy() -> None:
    """It has no endpoint as long as the check warns: that is why, not that the table is behind."""
    warns = replace(CRITICAL, name="disk", status="warning", note="91 % full")
    policies = decide_policies(kept({"mesh/services/cart": "warning: out"}), KNOWN.policies)
    known = replace(
        KNOWN,
        instances={"cart": (instance("cart-1", "node-2", status="warning"),)},
        checks=(warns,),
        since=Unwell().after((), NOW - 99).after((warns,), NOW - 60).since,
        policies=policies,
    )
    answer = whole({**ANSWER, "endpoints": []}, known)
    (told,) = answer["instances"]
    assert (told["sentence"], told["since_unix_s"]) == ('check "disk" warning', NOW - 60)
    assert told["policy"] == {"key": "mesh/services/cart", "index": 11}
    text = "\n".join(lines(question_of_words("http://shop.example/cart/7"), answer, NOW))
    assert 'out: check "disk" warning since ' in text
    assert '("91 % full"), by "warning: out" in mesh/services/cart index 11' in text
    others = whole({**ANSWER, "endpoints": []}, replace(known, policies=KNOWN.policies))
    assert others["instances"][0]["sentence"] == "it is not in the table yet"
    weightless = instance("cart-1", "node-2", status="warning", weight_warning=0)
    itself = whole({**ANSWER, "endpoints": []}, replace(known, instances={"cart": (weightless,)}))
    (told,) = itself["instances"]
    assert (told["sentence"], told["policy"]) == ('check "disk" warning', None)
    of_node = replace(warns, check_id="node", name="ntp", service_id="", service="")
    both = whole({**ANSWER, "endpoints": []}, replace(known, checks=(of_node, warns)))
    assert both["instances"][0]["sentence"] == 'check "disk" warning'


def test_maintenance_is_told_with_the_reason_that_was_given() -> None:
    mark = UnhealthyCheck(
        "node-2", "_service_maintenance:cart-1", "Service Maintenance Mode", "cart-1", "cart",
        "maintenance", "new disk",
    )  # fmt: skip
    known = replace(
        KNOWN,
        instances={"cart": (instance("cart-1", "node-2", status="maintenance"),)},
        checks=(mark,),
    )
    answer = whole({**ANSWER, "endpoints": []}, known)
    text = "\n".join(lines(question_of_words("http://shop.example/cart/7"), answer, NOW))
    assert 'out: maintenance mode ("new disk")' in text


def kept(values: dict[str, str]) -> tuple[KvEntry, ...]:
    """Keys in their order, with indexes from 11 on."""
    return tuple(
        KvEntry(key, values[key].encode(), index) for index, key in enumerate(sorted(values), 11)
    )


def changed(
    route: str, made: tuple[dict[str, Any], ...], back: tuple[dict[str, Any], ...] = ()
) -> dict[str, Any]:
    """An answer by the route mesh/routes/shop, with these changes there and back."""
    values = {
        "mesh/routes/shop": route,
        "mesh/services/cart": "request_headers: {set: {x-team: cart, x-own: far}}",
        "mesh/settings": "request_headers: {set: {x-team: all}}\nresponse_headers: {remove: [server]}",
    }
    alone = state_alone({key: value.encode() for key, value in values.items()})
    last = compile_snapshot(alone.state, alone.facts).last_good
    known = replace(KNOWN, keys=alone.state.keys.entries, forms=last.forms, policies=last.policies)
    row = {**ANSWER["route"], "index": last.forms["mesh/routes/shop"].route.index}
    request = {**ANSWER["request"], "changes": list(made)}
    return whole(
        {**ANSWER, "route": row, "request": request, "response_changes": list(back)}, known
    )


def test_a_change_names_the_key_that_says_it() -> None:
    def header(name: str, to: str) -> dict[str, Any]:
        return {"what": f"header {name}", "from": None, "to": to, "by": "request_headers.set"}

    route = "{host: shop.example, path: /cart, service: cart, strip: /cart, request_headers: {set: {x-own: near}}}"
    path = {"what": "path", "from": "/cart", "to": "/", "by": "strip_prefix"}
    normal = {"what": "path", "from": "//", "to": "/", "by": "normal form"}
    server = {"what": "header server", "from": None, "to": None, "by": "response_headers.remove"}
    answer = changed(
        route, (normal, path, header("x-own", "near"), header("x-team", "cart")), (server,)
    )
    told = [(one["key"], one["written"]) for one in answer["request"]["changes"]]
    assert told == [
        (None, None),
        ("mesh/routes/shop", "strip"),
        ("mesh/routes/shop", "request_headers.set"),
        ("mesh/services/cart", "request_headers.set"),
    ]
    assert answer["response_changes"][0]["key"] == "mesh/settings"
    assert [one["by"] for one in answer["request"]["changes"]][1] == "strip_prefix"
    text = "\n".join(lines(question_of_words("http://shop.example/cart/7"), answer, NOW))
    index = answer["request"]["changes"][3]["index"]
    assert f"set to cart   by request_headers.set in mesh/services/cart index {index}" in text
    assert "set to near   by request_headers.set\n" in text
    assert "header server   removed   by response_headers.remove in mesh/settings index" in text


@pytest.mark.parametrize(
    ("settings", "label", "words"),
    [
        ("strip=/cart add=/api", "strip_prefix, add_prefix", "strip=, add="),
        ("replace=/api", "strip_prefix, add_prefix", "replace="),
        ("host=inner.example", "rewrite_host", "host="),
    ],
)
def test_a_change_is_told_in_the_words_of_its_line(settings: str, label: str, words: str) -> None:
    change = {"what": "path", "from": "/cart", "to": "/api", "by": label}
    answer = changed(f"shop.example/cart -> cart {settings}", (change,))
    assert answer["request"]["changes"][0]["written"] == words
    text = lines(question_of_words("http://shop.example/cart/7"), answer, NOW)
    assert any(line.endswith(f"/cart → /api   by {words}") for line in text)


def test_what_is_removed_or_added_is_said_so() -> None:
    made = (
        {"what": "header a", "from": "1", "to": None, "by": "request_headers.remove"},
        {"what": "header b", "from": None, "to": "2", "by": "request_headers.add"},
    )
    gone = {"what": "header server", "from": None, "to": None, "by": "response_headers.remove"}
    answer = changed("shop.example/cart -> cart", made, (gone,))
    text = "\n".join(lines(question_of_words("http://shop.example/cart/7"), answer, NOW))
    for part in ("header a   1 removed   by", "header b   2 added     by", "server   removed   by"):
        assert part in text
    assert "None" not in text


def test_the_intention_that_decides_has_its_precedence_and_index() -> None:
    rules = (Intentions("cart", (IntentionSource("*", "allow", precedence=8),), 5),)
    answer = whole(known=replace(KNOWN, intentions=rules))
    assert (answer["intention"]["precedence"], answer["intention"]["index"]) == (8, 5)
    text = lines(question_of_words("http://shop.example/cart/7"), answer, NOW)
    said = "allow, by node-3 (intention * => cart, precedence 8, index 5)"
    assert any(line.endswith(said) for line in text)
    assert whole()["intention"]["precedence"] is None, "no entry here says so"


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
        "and 2 further away; --all names them",
        "request    GET /7 HTTP/1.1",
        "/cart/7 → /7   by strip=",
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


def considered(*names: str, code: str = "host") -> list[dict[str, Any]]:
    row = {"key": "mesh/x", "index": 1, "pattern": "h/", "code": code, "sentence": "why"}
    return [{**row, "name": name} for name in names]


def test_routes_nobody_wrote_are_named_where_they_are_of_the_host() -> None:
    near = considered("mesh:cart", code="outranked")
    far = considered("mesh:a", "mesh:b", "written")
    question = question_of_words("http://shop.example/cart/7")
    answer = {**whole(), "considered": [*near, *far], "routes": 5, "refused": []}
    told = "\n".join(lines(question, answer, NOW))
    assert "mesh:cart" in told
    assert "written" in told
    assert "mesh:a" not in told
    assert "and 2 further away; --all names them" in told
    every = "\n".join(lines(question, answer, NOW, has_all=True))
    assert "mesh:a" in every
    assert "further away" not in every


def test_where_no_route_is_asked_the_answer_says_why_once() -> None:
    own = {"status": 400, "reason": "path_dot_segment", "message": "the path has a segment .."}
    bad = {**ANSWER, "route": None, "considered": [], "routes": 11, "request": None, "answer": own}
    told = lines(question_of_words("http://shop.example/a/../b"), whole(bad), NOW)
    assert "route      none: about such a request no route is asked" in told
    assert not any("further away" in line or "11" in line for line in told)
    missed = {**bad, "answer": {**own, "reason": "no_route"}}
    told = lines(question_of_words("http://shop.example/b"), whole(missed), NOW)
    assert "route      none   11 others considered" in told


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
