from hypothesis import given
from hypothesis import strategies as st

from catalog.model import Instance, KvEntry, Problem
from catalog.status import Change, NodeStatus
from catalog.verdicts import live_nodes, verdict

KEY = "mesh/routes/shop"
ENTRY = KvEntry(KEY, b"shop.example/cart -> cart", 4711)
NODES = ("node-1", "node-2", "node-3")


def status(node: str, index: int = 4711, *changes: tuple[int, int], **more: object) -> NodeStatus:
    made = NodeStatus(node, 1, index, "sha256:now", tuple(Change(*change) for change in changes))
    problems = more.get("problems", ())
    assert isinstance(problems, tuple)
    return NodeStatus(
        made.node, 1, index, str(more.get("digest", made.digest)), made.changes, (), problems
    )


def problem(severity: str = "error", index: int = 4711, key: str = KEY) -> Problem:
    return Problem(
        key, index, "error" if severity == "error" else "warning", "no setting is called so", 1, 30
    )


def test_all_nodes_accepted() -> None:
    statuses = [status(node, 4711, (4711, 1000 + 3 * at)) for at, node in enumerate(NODES)]
    found = verdict(KEY, ENTRY, statuses, NODES)
    assert (found.answer, found.count("accepted"), found.is_complete) == ("accepted", 3, True)
    assert found.first is not None
    assert (found.first.node, found.spread_ms) == ("node-1", 6)


def test_one_refusal_is_a_refusal_with_its_problem_once() -> None:
    refused = (problem(),)
    statuses = [status(node, problems=refused) for node in NODES[:2]] + [status("node-3")]
    found = verdict(KEY, ENTRY, statuses, NODES)
    assert (found.answer, found.count("refused"), found.count("accepted")) == ("refused", 2, 1)
    assert found.problems == refused


def test_the_last_good_form_that_goes_on_serving_is_named() -> None:
    refused = (Problem(KEY, 4711, "error", "so", serving_index=4700),)
    found = verdict(KEY, ENTRY, [status("node-1", problems=refused)], ["node-1"])
    assert found.serving_index == 4700


def test_a_warning_is_accepted() -> None:
    warned = (problem("warning"),)
    found = verdict(KEY, ENTRY, [status("node-1", problems=warned)], ["node-1"])
    assert (found.answer, found.problems) == ("accepted", warned)


def test_problems_of_other_keys_and_older_indexes_do_not_count() -> None:
    others = (problem(index=4710), problem(key="mesh/routes/other"))
    found = verdict(KEY, ENTRY, [status("node-1", problems=others)], ["node-1"])
    assert (found.answer, found.problems) == ("accepted", ())


def test_a_node_that_is_behind_or_silent_is_waited_for_and_says_why() -> None:
    found = verdict(
        KEY,
        ENTRY,
        [status("node-1"), status("node-2", 4710)],
        [*NODES, "node-4"],
        reasons={"node-4": "its signature does not fit its public key"},
    )
    assert (found.answer, found.is_complete) == ("waiting", False)
    assert [node.reason for node in found.nodes] == [
        "",
        "it is at index 4710",
        "it has written no status yet",
        "its signature does not fit its public key",
    ]
    assert found.spread_ms is None


def test_a_node_that_is_not_live_is_not_asked() -> None:
    found = verdict(KEY, ENTRY, [status("node-1"), status("gone", 1)], ["node-1"])
    assert (found.answer, len(found.nodes)) == ("accepted", 1)


def test_the_keys_it_keeps_from_their_requests_are_told_once() -> None:
    others = (
        Problem("mesh/routes/old", 4000, "warning", "it never matches", winner=KEY),
        Problem("mesh/routes/else", 4001, "warning", "it never matches", winner="mesh/routes/x"),
    )
    statuses = [status(node, problems=others) for node in NODES]
    found = verdict(KEY, ENTRY, statuses, NODES)
    assert (found.answer, found.problems) == ("accepted", ())
    assert found.kept_out == others[:1]
    assert [Problem.from_json(one) for one in found.to_json()["kept_out"]] == [*others[:1]]


def test_no_live_node_is_no_answer() -> None:
    found = verdict(KEY, ENTRY, [], [])
    assert (found.answer, found.is_complete, found.first) == ("waiting", False, None)


def test_a_deletion_is_seen_by_the_digest() -> None:
    statuses = [status("node-1"), status("node-2", 9999, digest="sha256:before")]
    found = verdict(KEY, None, statuses, NODES[:2], digest="sha256:now")
    assert [node.answer for node in found.nodes] == ["accepted", "waiting"]
    assert found.index is None


def test_a_deletion_that_is_held_back_is_no_waiting() -> None:
    held = problem(key="mesh/")
    behind = status("node-2", problems=(problem("warning", key="mesh/"),))
    statuses = [status("node-1", problems=(held,)), behind]
    found = verdict(KEY, None, statuses, NODES[:2], digest="sha256:less")
    assert [node.answer for node in found.nodes] == ["refused", "waiting"]
    assert (found.answer, found.problems, found.serving_index) == ("refused", (held,), None)


def test_a_time_that_may_be_anothers_is_not_told() -> None:
    """With all sixteen changes newer than the key nobody knows when it was reached."""
    many = [(4800 + at, 5000 + at) for at in range(16)]
    found = verdict(KEY, ENTRY, [status("node-1", 4815, *many)], ["node-1"])
    assert found.nodes[0].at_unix_ms is None
    exact = [(4711 + at, 5000 + at) for at in range(16)]
    found = verdict(KEY, ENTRY, [status("node-1", 4726, *exact)], ["node-1"])
    assert found.nodes[0].at_unix_ms == 5000
    gathered = verdict(KEY, ENTRY, [status("node-1", 4713, (4713, 7))], ["node-1"])
    assert gathered.nodes[0].at_unix_ms == 7


def test_the_json_has_all_a_script_wants() -> None:
    statuses = [status("node-1", 4711, (4711, 1000)), status("node-2", 4711, (4711, 1006))]
    document = verdict(KEY, ENTRY, statuses, NODES[:2]).to_json()
    assert document == {
        "key": KEY,
        "index": 4711,
        "answer": "accepted",
        "accepted": 2,
        "refused": 0,
        "waiting": 0,
        "nodes": [
            {"node": "node-1", "answer": "accepted", "at_unix_ms": 1000},
            {"node": "node-2", "answer": "accepted", "at_unix_ms": 1006},
        ],
        "problems": [],
        "kept_out": [],
        "serving_index": None,
        "ended_by": None,
        "first_node": "node-1",
        "spread_ms": 6,
    }


def test_only_nodes_with_a_heartbeat_are_live() -> None:
    found = live_nodes(
        [
            Instance("meshnode", "meshnode", "a", "10.0.0.1", status="passing"),
            Instance("meshnode", "meshnode", "b", "10.0.0.2", status="critical"),
            Instance("meshnode", "meshnode", "c", "10.0.0.3", status="maintenance"),
        ]
    )
    assert found == {"a"}


@given(
    st.lists(st.tuples(st.sampled_from(NODES), st.integers(4700, 4720), st.booleans()), max_size=6)
)
def test_every_live_node_is_counted_exactly_once(said: list[tuple[str, int, bool]]) -> None:
    statuses = [
        status(node, index, problems=(problem(),) if is_bad else ()) for node, index, is_bad in said
    ]
    found = verdict(KEY, ENTRY, statuses, NODES)
    counts = [found.count(answer) for answer in ("accepted", "refused", "waiting")]
    assert sum(counts) == len(NODES)
    assert (found.answer == "accepted") == (counts[0] == len(NODES))


def test_a_deletion_knows_the_tests_that_broke_by_it() -> None:
    broken = Problem("mesh/tests/t", 7, "error", "so", ended_by=KEY)
    other = Problem("mesh/tests/u", 7, "error", "so", ended_by="mesh/routes/other")
    statuses = [status(node, problems=(broken, other)) for node in NODES]
    found = verdict(KEY, None, statuses, NODES, digest="sha256:now")
    assert (found.answer, found.kept_out) == ("accepted", (broken,))


def test_what_ended_a_value_that_was_in_force_is_known_by_one_node() -> None:
    for told, expected in (((None, ""), ""), (("", KEY), KEY), ((None, None), None)):
        statuses = [
            status(node, problems=(Problem(KEY, 4711, "error", "so", ended_by=by),))
            for node, by in zip(NODES, told, strict=False)
        ]
        assert verdict(KEY, ENTRY, statuses, NODES[:2]).ended_by == expected
