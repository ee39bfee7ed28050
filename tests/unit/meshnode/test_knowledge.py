"""What follows from what Consul told, as the agent keeps it."""

from __future__ import annotations

from catalog import InstancesUpdate, LocalServicesUpdate, UnhealthyCheck, UnhealthyUpdate
from meshnode.agent.knowledge import Clock, Knowledge
from meshnode.agent.ports import OutboundPorts
from tests.support.catalog import FACTS, instance, kv


def knowledge(first: int, last: int) -> Knowledge:
    made = Knowledge(Clock(lambda: 0.0, lambda: 0.0), OutboundPorts(first, last, {}))
    made.learn(FACTS)
    made.completed()
    return made


def test_a_port_that_upstreams_name_is_given_to_nobody_else() -> None:
    """Both are there at first; then one of them asks for the other's port, and the other gets its own."""
    known = knowledge(15_001, 15_002)
    known.apply(LocalServicesUpdate((instance("cart"), instance("web"))))
    known.compile()
    taken = known.ports.assigned["cart"]
    known.apply(kv({"upstreams/web": f"port: {taken}"}))
    known.compile()
    assert known.compiled is not None
    listeners = known.compiled.resources["listeners"]
    assert listeners["web"]["address"] == f"127.0.0.1:{taken}"
    assert listeners["cart"]["address"] == f"127.0.0.1:{30_003 - taken}"
    assert "web" in known.named_ports


def test_a_port_of_a_destination_is_given_to_nobody() -> None:
    known = knowledge(15_001, 15_002)
    known.apply(LocalServicesUpdate((instance("web"),)))
    known.compile()
    taken = known.ports.assigned["web"]
    known.apply(kv({"upstreams/web": f"destinations: {{cart: {taken}}}"}))
    known.compile()
    assert known.compiled is not None
    listeners = known.compiled.resources["listeners"]
    assert listeners["web:cart"]["address"] == f"127.0.0.1:{taken}"
    assert listeners["web"]["address"] == f"127.0.0.1:{30_003 - taken}"


def test_what_changes_nothing_is_not_compiled() -> None:
    """An answer with a newer index, and a check of a service that nobody here knows."""
    known = knowledge(15_001, 15_002)
    known.apply(kv({"routes/a": "a/ -> cart"}))
    known.apply(InstancesUpdate("cart", (instance("cart", "node-2"),), 5))
    assert known.compile() is not None
    strange = UnhealthyCheck("node-9", "c", "c", "other-9", "other", "critical", "")
    for update in (
        kv({"routes/a": "a/ -> cart"}, 2000),
        InstancesUpdate("cart", (instance("cart", "node-2"),), 6),
        UnhealthyUpdate((), 7),
        UnhealthyUpdate((strange,), 8),
    ):
        known.apply(update)
        assert known.compile() is None
    known.apply(kv({"routes/a": "b/ -> cart"}, 2001))
    assert known.compile() is not None
