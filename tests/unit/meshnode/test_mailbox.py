"""The mailbox: newest wins, and it never grows with how often something changes."""

from __future__ import annotations

import asyncio

from catalog import InstancesUpdate, KvUpdate, ServicesUpdate
from meshnode.agent.events import (
    ConsulComplete,
    ConsulSaid,
    Event,
    IdentityGone,
    IdentityIssued,
    ProxyDown,
    slot,
)
from meshnode.agent.mailbox import Mailbox


def said(prefix: str, index: int) -> ConsulSaid:
    return ConsulSaid(KvUpdate(prefix, (), index))


def taken(*events: Event) -> tuple[Event, ...]:
    mailbox = Mailbox()
    for event in events:
        mailbox.post(event)
    return asyncio.run(mailbox.take())


def test_the_newer_of_one_kind_replaces_the_older() -> None:
    assert taken(said("mesh/", 1), said("meshnode/ca/", 2), said("mesh/", 3)) == (
        said("meshnode/ca/", 2),
        said("mesh/", 3),
    )


def test_different_things_do_not_replace_one_another() -> None:
    events: tuple[Event, ...] = (
        ConsulSaid(InstancesUpdate("a", (), 1)),
        ConsulSaid(InstancesUpdate("b", (), 1)),
        ConsulSaid(ServicesUpdate((), 1)),
        ConsulComplete(),
        IdentityIssued("web", 1, {}),
        IdentityIssued("api", 1, {}),
        ProxyDown("it ended"),
    )
    assert taken(*events) == events


def test_an_identity_that_is_gone_is_not_issued_any_more() -> None:
    assert taken(IdentityIssued("web", 1, {}), IdentityGone("web")) == (IdentityGone("web"),)


async def test_an_empty_mailbox_gives_nothing_after_the_timeout() -> None:
    mailbox = Mailbox()
    assert await mailbox.take(0.01) == ()
    mailbox.post(ConsulComplete())
    assert await mailbox.take(0.01) == (ConsulComplete(),)
    assert await mailbox.take(0.01) == ()


def test_a_key_is_in_no_repr() -> None:
    assert "secret" not in repr(IdentityIssued("web", 1, {"private_key_pem": "secret"}))


def test_every_event_has_a_slot() -> None:
    assert slot(said("mesh/", 1)) != slot(said("meshnode/ca/", 1))
    assert slot(ProxyDown("x")) == "proxy"
