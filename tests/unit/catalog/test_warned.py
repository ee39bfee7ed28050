"""A route whose instances are all out by a warning names the check, and what says that a warning takes them out."""

from __future__ import annotations

import pytest

from catalog import Compiler, Instance, UnhealthyUpdate, compile_snapshot, subsets
from catalog.model import Status
from catalog.update import UnhealthyCheck
from tests.support.catalog import FACTS, instance, state

OUT = {"routes/a": "a/ -> cart", "services/cart": "warning: out"}


def check(
    service_id: str, name: str, *, node: str = "node-2", status: Status = "warning"
) -> UnhealthyCheck:
    service = "cart" if service_id else ""
    return UnhealthyCheck(node, f"id of {name}", name, service_id, service, status, "")  # fmt: skip


def cart(node: str = "node-2", weight_warning: int = 1) -> Instance:
    return instance("cart", node, weight_warning=weight_warning)


def said(values: dict[str, str], instances: list[Instance], *checks: UnhealthyCheck) -> list[str]:
    now = state(dict(values), *instances).apply(UnhealthyUpdate(checks, 20))
    made = compile_snapshot(now, FACTS)
    return [one.message for one in made.problems if one.key == "mesh/routes/a"]


END = ": requests to a/ now get 503 no_healthy_endpoint"
BY_POLICY = 'since it warns and mesh/services/cart says "warning: out"'


@pytest.mark.parametrize(
    ("checks", "state"),
    [
        ((check("cart-2", "load"),), f'has 1 instance, out: "cart-2" on node-2 by check "load", {BY_POLICY}'),
        ((check("", "disk"),), f'has 1 instance, out: "cart-2" on node-2 by check "disk", {BY_POLICY}'),
        ((check("cart-2", "load", status="critical"),), "has 1 instance, none passes its checks"),
    ],
)  # fmt: skip
def test_the_check_that_takes_an_instance_out_is_named(
    checks: tuple[UnhealthyCheck, ...], state: str
) -> None:
    assert said(OUT, [cart()], *checks) == [f'service "cart" {state}{END}']


def test_a_registration_may_say_so_itself() -> None:
    found = said({"routes/a": "a/ -> cart"}, [cart(weight_warning=0)], check("cart-2", "load"))
    assert "since it warns and registrations have no weight for warnings" in found[0]


def test_each_instance_has_its_own_reason_as_registered() -> None:
    """Of two that warn a policy takes out the one that would have a weight; the other is out by itself."""
    instances = [cart(weight_warning=0), cart("node-3")]
    checks = (check("cart-2", "load"), check("cart-3", "disk", node="node-3"))
    state = (
        f'has 2 instances, all out: "cart-3" on node-3 by check "disk", {BY_POLICY}; '
        '"cart-2" on node-2 by check "load", since it warns and registrations have no weight for warnings'
    )
    assert said(OUT, instances, *checks) == [f'service "cart" {state}{END}']
    assert "services/cart" not in said(OUT, instances[:1], *checks)[0]


def test_a_cluster_is_looked_at_once_for_all_its_routes(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def chosen(target: str, instances: tuple[Instance, ...]) -> tuple[Instance, ...]:
        looked.append(target)
        return subsets.chosen(target, instances)

    monkeypatch.setattr("catalog.findings.chosen", chosen)
    routes = {f"routes/{at}": f"a/{at} -> cart" for at in range(50)}
    compiler, now = Compiler(), state({**OUT, **routes}, cart())
    for at, name in enumerate(("load", "disk"), start=1):
        now = now.apply(UnhealthyUpdate((check("cart-2", name),), 20 + at))
        told = [one.message for one in compiler.compile(now, FACTS).problems]
        assert sum(f'check "{name}"' in message for message in told) == 51
        assert looked == ["cart"] * at


def test_others_are_counted() -> None:
    instances = [cart(), cart("node-3")]
    broken = check("cart-3", "http", node="node-3", status="critical")
    found = said(OUT, instances, check("cart-2", "load"), broken)
    assert f'"cart-2" on node-2 by check "load", {BY_POLICY}; 1 more by other causes' in found[0]
    many = [instance("cart", "node-2", id=f"c{at}") for at in range(5)]
    found = said(OUT, many, *(check(f"c{at}", "load") for at in range(5)))
    assert '"c2" on node-2 by check "load", 2 more so, since' in found[0]


def test_of_a_subset_its_own_instances_are_named() -> None:
    instances = [
        instance("cart", "node-2", meta={"v": "1"}), instance("cart", "node-3", meta={"v": "2"}),
    ]  # fmt: skip
    values = {**OUT, "routes/a": "a/ -> cart[meta.v=1]"}
    checks = (check("cart-2", "load"), check("cart-3", "load", node="node-3"))
    found = said(values, instances, *checks)
    assert "node-2" in found[0]
    assert "node-3" not in found[0]


def test_it_goes_with_the_warning_and_follows_the_check() -> None:
    compiler, now = Compiler(), state(dict(OUT), cart())
    expected: tuple[tuple[tuple[UnhealthyCheck, ...], str], ...] = (
        ((check("cart-2", "load"),), 'check "load"'),
        ((check("cart-2", "disk"),), 'check "disk"'),
        ((), ""),
    )
    for at, (checks, words) in enumerate(expected):
        now = now.apply(UnhealthyUpdate(checks, 20 + at))
        told = " ".join(one.message for one in compiler.compile(now, FACTS).problems)
        assert (words in told) if words else (told == "")
