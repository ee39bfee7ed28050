"""Outbound ports: the same service, the same port; nobody gets another's."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshnode.agent.ports import OutboundPorts, load

NONE: frozenset[int] = frozenset()


def ports(first: int = 15000, last: int = 15999, **assigned: int) -> OutboundPorts:
    return OutboundPorts(first, last, assigned)


def test_a_port_stays_whatever_comes_and_goes() -> None:
    first = ports().with_services(["web"], NONE)
    more = first.with_services(["api", "web", "zoo"], NONE).with_services(["zoo"], NONE)
    assert more.assigned["web"] == first.assigned["web"]
    assert more.with_services(["web"], NONE) is more


def test_two_machines_mostly_agree() -> None:
    assert (
        ports().with_services(["web"], NONE).assigned
        == ports().with_services(["web"], NONE).assigned
    )


def test_no_two_services_have_one_port() -> None:
    names = [f"service-{number}" for number in range(1000)]
    assigned = ports().with_services(names, NONE).assigned
    assert len(set(assigned.values())) == len(assigned) == 1000


def test_a_port_that_a_registration_names_is_kept_off() -> None:
    had = ports().with_services(["web"], NONE).assigned["web"]
    assert ports().with_services(["web"], frozenset({had})).assigned["web"] != had
    assert ports(web=15001).with_services(["web"], frozenset({15001})).assigned["web"] != 15001


def test_a_full_range_takes_the_ports_of_those_that_are_gone() -> None:
    full = ports(1, 2, gone=1, here=2)
    assert full.with_services(["here", "new"], NONE).assigned == {"here": 2, "new": 1}
    assert full.with_services(["a", "b", "here"], NONE).assigned == {"here": 2, "a": 1}


def test_a_port_outside_a_narrowed_range_is_given_anew() -> None:
    assert ports(10, 20, web=15001).with_services(["web"], NONE).assigned["web"] in range(10, 21)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"ports":{"web":"x"}}', b'{"ports":3}'])
def test_a_broken_file_is_as_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ports.json"
    path.write_bytes(content)
    assert load(path, 1, 9).assigned == {}
    assert load(tmp_path / "missing", 1, 9).assigned == {}


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    made = ports().with_services(["web", "api"], NONE)
    path = tmp_path / "ports.json"
    path.write_bytes(made.to_json())
    assert load(path, 15000, 15999) == made
