"""Intentions: Consul's order of evaluation, and what is not understood is refused, not passed over."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from catalog import Intentions, IntentionSource
from catalog.intentions import called_by, problems, rules_of
from tests.support.catalog import intention


def test_rules_stand_in_the_order_of_evaluation() -> None:
    entries = (
        intention("*", 70, web="allow", any="deny"),
        intention("cart", 80, any="allow", web="deny", shop="allow"),
        intention("stock", 90, web="allow"),
    )
    assert rules_of("cart", entries) == {
        "destination": "cart",
        "rules": [
            {"source": "web", "action": "deny", "name": "web => cart", "precedence": 9, "index": 80},
            {"source": "shop", "action": "allow", "name": "shop => cart", "precedence": 9, "index": 80},
            {"source": "*", "action": "allow", "name": "* => cart", "precedence": 8, "index": 80},
            {"source": "web", "action": "allow", "name": "web => *", "precedence": 6, "index": 70},
            {"source": "*", "action": "deny", "name": "* => *", "precedence": 5, "index": 70},
        ],
    }  # fmt: skip


def test_permissions_refuse_everything_they_name() -> None:
    entries = (intention("cart", web="permissions", any="allow"),)
    rules = rules_of("cart", entries)["rules"]
    assert [(rule["source"], rule["action"]) for rule in rules] == [
        ("web", "refuse"),
        ("*", "allow"),
    ]
    (problem,) = problems(("cart",), entries)
    assert (problem.key, problem.index, problem.severity) == ("intention web => cart", 80, "error")
    assert "intention_unsupported" in problem.message


def test_sources_of_another_namespace_partition_or_cluster_are_skipped_and_said() -> None:
    plain = IntentionSource("web", "deny")
    strangers = (
        replace(plain, peer="dc2"),
        replace(plain, namespace="team"),
        replace(plain, partition="east"),
        replace(plain, sameness_group="all"),
    )
    own = replace(plain, namespace="default", partition="default")
    entries = (Intentions("cart", (*strangers, own), 80),)
    assert len(rules_of("cart", entries)["rules"]) == 1
    assert len(problems(("cart",), entries)) == 4


def test_problems_are_those_of_the_destinations_at_hand() -> None:
    entries = (intention("*", web="permissions"), intention("stock", web="permissions"))
    assert [problem.key for problem in problems(("cart",), entries)] == ["intention web => *"]


def test_too_many_rules_refuse_rather_than_forget() -> None:
    sources = tuple(IntentionSource(f"s{n}", "allow") for n in range(10_001))
    (rule,) = rules_of("cart", (Intentions("cart", sources, 80),))["rules"]
    assert (rule["source"], rule["action"]) == ("*", "refuse")


def test_a_service_may_call_what_an_intention_lets_it() -> None:
    entries = (
        intention("*", web="allow"),
        intention("cart", web="allow"),
        intention("shop", any="allow"),
        intention("stock", other="allow"),
        intention("safe", web="deny"),
        intention("rules", web="permissions"),
    )
    assert called_by(frozenset({"web"}), entries) == {"cart", "shop", "rules"}


NAMES = st.sampled_from(["*", "web", "shop", "cart"])
ENTRIES = st.lists(
    st.tuples(NAMES, NAMES, st.sampled_from(["allow", "deny"])),
    max_size=12,
    unique_by=lambda one: one[:2],
)


@given(ENTRIES, NAMES.filter("*".__ne__), NAMES.filter("*".__ne__))
def test_the_first_rule_is_the_intention_with_the_highest_precedence(
    entries: list[tuple[str, str, str]], source: str, destination: str
) -> None:
    def precedence(entry: tuple[str, str, str]) -> int:
        return {(0, 0): 9, (1, 0): 8, (0, 1): 6, (1, 1): 5}[entry[0] == "*", entry[1] == "*"]

    matching = [e for e in entries if e[0] in (source, "*") and e[1] in (destination, "*")]
    expected = max(matching, key=precedence)[2] if matching else None
    made = tuple(
        Intentions(to, (IntentionSource(by, "allow" if action == "allow" else "deny"),), 1)
        for by, to, action in entries
    )
    rules = rules_of(destination, made)["rules"]
    first = next((rule for rule in rules if rule["source"] in (source, "*")), None)
    assert (first["action"] if first else None) == expected
