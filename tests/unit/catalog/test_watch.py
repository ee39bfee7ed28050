import asyncio
import json
import time

import pytest

from catalog.pace import BURST, SPACING_S
from catalog.update import (
    DefaultIntentionUpdate,
    InstancesUpdate,
    IntentionsUpdate,
    KvUpdate,
    LocalServicesUpdate,
    NodesUpdate,
    ServicesUpdate,
    Staleness,
    UnhealthyUpdate,
)
from tests.support import wait_until
from tests.support.fake_consul import FakeConsul, Scripted

from .watching import HASTY, PATIENCE_S, watching

MESH = "/v1/kv/mesh/"
LEADER = "/v1/status/leader"
NODE = {"Node": "node-1", "Address": "10.0.0.1"}
CONNECTIONS = 8


def instance(service: str, instance_id: str, port: int = 80) -> dict[str, object]:
    entry = {"ID": instance_id, "Service": service, "Port": port, "Address": ""}
    return {"Node": NODE, "Service": entry, "Checks": []}


def intention(destination: str) -> dict[str, object]:
    source = {"Name": "web", "Action": "deny", "Precedence": 9}
    return {"Name": destination, "ModifyIndex": 5, "Sources": [source]}


async def test_every_watch_tells_what_is_there_at_first() -> None:
    async with FakeConsul() as fake:
        fake.put("mesh/routes/a", b"1")
        async with watching(fake) as told:
            kinds = {type(update) for update in told.updates}
            assert kinds == {
                KvUpdate,
                NodesUpdate,
                IntentionsUpdate,
                ServicesUpdate,
                UnhealthyUpdate,
                LocalServicesUpdate,
                DefaultIntentionUpdate,
            }
            assert told.values() == [{"mesh/routes/a": b"1"}]
            assert told.watches.staleness == Staleness(None)


async def test_a_put_is_told_and_what_did_not_change_is_the_same_object() -> None:
    async with FakeConsul() as fake:
        fake.put("mesh/a", b"1")
        async with watching(fake) as told:
            fake.put("mesh/b", b"2")
            await told.until(lambda: len(told.values()) == 2, "the put")
            first, second = (
                u for u in told.updates if isinstance(u, KvUpdate) and u.prefix == "mesh/"
            )
            assert second.entries[0] is first.entries[0]
            assert told.values()[-1] == {"mesh/a": b"1", "mesh/b": b"2"}


async def test_no_question_but_the_first_is_asked_without_an_index() -> None:
    async with FakeConsul() as fake, watching(fake) as told:
        for number in range(5):
            fake.put("mesh/a", b"%d" % number)
            await told.until(lambda n=number: len(told.values()) == n + 2, "the put")  # type: ignore[misc]
        asked = [query for path, query in fake.queries if path == MESH]
        assert "index" not in asked[0]
        assert all(int(query["index"]) >= 1 and "stale" in query for query in asked[1:])
        assert all(269 <= int(query["wait"].removesuffix("s")) <= 300 for query in asked[1:])


async def test_a_wait_that_runs_out_tells_nothing() -> None:
    async with FakeConsul() as fake:
        fake.put("mesh/a", b"1")
        async with watching(fake, wait_s=1) as told:
            before = fake.requests[MESH]
            await told.until(lambda: fake.requests[MESH] >= before + 2, "two waits")
            assert len(told.values()) == 1
            assert told.client.cost.wakeups_idle > 0


async def test_an_index_of_nothing_makes_no_busy_loop() -> None:
    async with FakeConsul() as fake:
        fake.put("mesh/a", b"1")
        async with watching(fake) as told:
            lies = [Scripted(status=404, headers={"X-Consul-Index": "0"})] * 2
            fake.script(MESH, *lies)
            fake.put("mesh/b", b"1")
            await told.until(lambda: len(told.values()) == 3, "the emptied prefix and the put")
            asked = [query for path, query in fake.queries if path == MESH]
            assert all(query.get("index") != "0" for query in asked)
            assert len(asked) < 10


async def test_an_older_answer_is_read_again_before_it_is_told() -> None:
    async with FakeConsul() as fake:
        fake.put("mesh/a", b"1")
        fake.put("mesh/b", b"1")
        async with watching(fake) as told:
            fake.script(MESH, Scripted(body=b"[]", headers={"X-Consul-Index": "3"}))
            fake.put("mesh/c", b"1")
            await told.until(lambda: len(told.values()) == 2, "the put")
            assert told.values()[-1].keys() == {"mesh/a", "mesh/b", "mesh/c"}
            assert any("consistent" in query for path, query in fake.queries if path == MESH)


async def test_a_consul_that_went_back_is_believed_when_it_says_so_twice() -> None:
    async with FakeConsul() as fake:
        fake.put("mesh/a", b"1")
        for number in range(5):
            fake.put("mesh/b", b"%d" % number)
        async with watching(fake) as told:
            await fake.stop()
            fake.restore(index=5)
            fake.put("mesh/a", b"old")
            await fake.start()
            await told.until(lambda: told.values()[-1] == {"mesh/a": b"old"}, "the older content")
            update = told.of(KvUpdate, "mesh/")[-1]
            assert isinstance(update, KvUpdate)
            assert update.is_confirmed
            fake.put("mesh/a", b"new")
            await told.until(lambda: told.values()[-1] == {"mesh/a": b"new"}, "the next put")


async def test_a_follower_that_just_started_empties_nothing() -> None:
    async with FakeConsul() as fake:
        fake.put("mesh/a", b"1")
        async with watching(fake) as told:
            empty = Scripted(status=404, headers={"X-Consul-KnownLeader": "false"})
            fake.script(MESH, empty)
            fake.put("mesh/a", b"2")
            await told.until(lambda: len(told.values()) == 2, "the put")
            assert told.values() == [{"mesh/a": b"1"}, {"mesh/a": b"2"}]


@pytest.mark.parametrize("body", [b"", b"[]", b"null"])
@pytest.mark.parametrize("status", [200, 404])
async def test_answers_of_something_in_between_empty_nothing(status: int, body: bytes) -> None:
    """A balancer's 404 for the nodes of the mesh would turn clear text on."""
    nodes = "/v1/health/service/meshnode"
    async with FakeConsul() as fake:
        fake.put("mesh/a", b"1")
        fake.set(nodes, [instance("meshnode", "meshnode", 7443)])
        async with watching(fake) as told:
            for path in (MESH, nodes):
                fake.script(path, *[Scripted(status, body, is_foreign=True)] * 3)
            fake.put("mesh/a", b"2")
            fake.set(nodes, [instance("meshnode", "meshnode", 7444)])
            await told.until(lambda: told.is_stale, "the failure is told")
            await told.until(lambda: not told.is_stale, "it is over")
            await told.until(lambda: len(told.of(NodesUpdate)) == 2, "the nodes")
            await told.until(lambda: len(told.values()) == 2, "the put")
            assert told.values() == [{"mesh/a": b"1"}, {"mesh/a": b"2"}]
            found = [update for update in told.updates if isinstance(update, NodesUpdate)]
            assert [one.port for update in found for one in update.instances] == [7443, 7444]


async def test_a_deleted_key_is_told_after_a_second_reading() -> None:
    async with FakeConsul() as fake:
        fake.put("mesh/a", b"1")
        async with watching(fake) as told:
            fake.delete("mesh/")
            await told.until(lambda: told.values()[-1] == {}, "the deletion")
            assert told.values() == [{"mesh/a": b"1"}, {}]


@pytest.mark.parametrize(
    "bad",
    [
        Scripted(status=500, body=b"No cluster leader"),
        Scripted(status=429, body=b"rate limit"),
        Scripted(status=403, body=b"Permission denied: lacks permission 'key:read' on \"mesh/\""),
        Scripted(body=b'[{"Key": "mesh/a", "Val'),
        Scripted(body=b'[{"Key"', is_cut=True),
        Scripted(body=b'{"not": "a list"}'),
        Scripted(body=b"\x00\xff\xfe"),
        Scripted(status=200, body=b'[{"Key":"mesh/a"}]'),
        Scripted(headers={"X-Consul-Results-Filtered-By-ACLs": "true"}, body=b"[]"),
    ],
)
async def test_a_bad_answer_takes_nothing_away_and_is_asked_again(bad: Scripted) -> None:
    async with FakeConsul() as fake:
        fake.put("mesh/a", b"1")
        async with watching(fake) as told:
            fake.script(MESH, bad, bad, bad)
            fake.put("mesh/a", b"2")
            await told.until(lambda: told.is_stale, "the staleness")
            await told.until(lambda: len(told.values()) == 2, "the put")
            await told.until(lambda: not told.is_stale, "fresh again")
            assert told.values() == [{"mesh/a": b"1"}, {"mesh/a": b"2"}]


async def test_a_missing_right_is_named_in_the_staleness() -> None:
    async with FakeConsul() as fake:
        said = b"lacks permission 'key:read' on \"mesh/\""
        fake.script(MESH, *[Scripted(status=403, body=said)] * 3)
        async with watching(fake, is_complete=False) as told:
            await told.until(lambda: told.is_stale, "the staleness")
            assert 'key_prefix "mesh/" { policy = "read" }' in told.watches.staleness.reason
            assert not told.watches.first_complete.is_set()
            await asyncio.wait_for(told.watches.first_complete.wait(), PATIENCE_S)


async def test_an_anonymous_token_without_rights_is_no_empty_mesh() -> None:
    async with FakeConsul() as fake:
        deny = {"X-Consul-Default-ACL-Policy": "deny"}
        fake.script(MESH, *[Scripted(status=404, headers=deny)] * 50)
        fake.script("/v1/internal/acl/authorize", *[Scripted(body=b'[{"Allow": false}]')] * 50)
        async with watching(fake, is_complete=False) as told:
            await told.until(lambda: told.is_stale, "the staleness")
            assert "mesh/" in told.watches.staleness.reason
            assert told.values() == []


async def test_of_services_the_right_that_is_missing_is_named_though_it_is_of_their_nodes() -> None:
    """Consul leaves out a service for either, and says only that it left out something."""
    async with FakeConsul() as fake:
        fake.set("/v1/health/service/web", [instance("web", "web-1")])
        async with watching(fake, token="t") as told:
            left_out = {"X-Consul-Results-Filtered-By-ACLs": "true"}
            fake.script("/v1/health/service/web", Scripted(headers=left_out, body=b"[]"))
            said = b'[{"Allow": true}, {"Allow": false}]'
            fake.script("/v1/internal/acl/authorize", *[Scripted(body=said)] * 50)
            told.watches.name_services(frozenset({"web"}))
            await told.until(lambda: told.is_stale, "the staleness")
            assert "node_prefix" in told.watches.staleness.reason


async def test_a_question_for_intentions_is_open_for_half_a_minute_at_most() -> None:
    async with FakeConsul() as fake:
        fake.set("/v1/config/service-intentions", [intention("db")])
        async with watching(fake):

            def waits(path: str) -> list[int]:
                asked = [query.get("wait") for at, query in fake.queries if at == path]
                return [int(wait.removesuffix("s")) for wait in asked if wait]

            path = "/v1/config/service-intentions"
            await wait_until(lambda: waits(path) and waits(MESH), PATIENCE_S)
            assert max(waits(path)) <= 30 < min(waits(MESH))


async def test_a_lost_intention_is_only_believed_if_it_may_be_read() -> None:
    path = "/v1/config/service-intentions"
    async with FakeConsul() as fake:
        fake.set(path, [intention("db"), intention("web")])
        # So that nobody else asks for a right, as for that of a node where nothing runs.
        service = {"ID": "web", "Service": "web", "Port": 1, "Address": ""}
        fake.set("/v1/catalog/node/node-1", {"Node": NODE, "Services": {"web": service}})
        async with watching(fake, token="t") as told:
            fake.script("/v1/internal/acl/authorize", Scripted(body=b'[{"Allow": false}]'))
            fake.set(path, [intention("web")])
            await told.until(lambda: told.is_stale, "the staleness")
            assert 'intentions = "read"' in told.watches.staleness.reason
            updates = told.of(IntentionsUpdate)
            assert len(updates) == 1
            await told.until(lambda: len(told.of(IntentionsUpdate)) == 2, "the deletion")


async def test_an_outage_is_told_once_and_caught_up_with_at_once() -> None:
    async with FakeConsul() as fake:
        fake.put("mesh/a", b"1")
        async with watching(fake) as told:
            await fake.stop()
            await told.until(lambda: told.is_stale, "the staleness")
            assert "connection refused" in told.watches.staleness.reason or "closed" in (
                told.watches.staleness.reason
            )
            fake.put("mesh/a", b"2")
            await asyncio.sleep(1.0)
            await fake.start()
            await told.until(lambda: told.values()[-1] == {"mesh/a": b"2"}, "caught up")
            await told.until(lambda: not told.is_stale, "fresh again")
            assert len(told.of(Staleness)) <= 4


async def test_a_connection_that_hangs_is_noticed_and_dialled_again() -> None:
    async with FakeConsul() as fake:
        fake.put("mesh/a", b"1")
        async with watching(fake, probing=HASTY) as told:
            fake.hang()
            await told.until(lambda: told.is_stale, "the staleness")
            assert "does not answer" in told.watches.staleness.reason
            asked = fake.requests[LEADER]
            await told.until(lambda: fake.requests[LEADER] >= asked + 2, "two probes more")
            fake.put("mesh/a", b"2")
            fake.forget_waiting()
            fake.resume()
            await told.until(lambda: told.values()[-1] == {"mesh/a": b"2"}, "caught up")


async def test_a_slow_consul_is_stale_and_goes_on_telling() -> None:
    async with FakeConsul() as fake:
        fake.put("mesh/a", b"1")
        async with watching(fake, probing=HASTY) as told:
            fake.delay_s = 0.5
            await told.until(lambda: told.is_stale, "the staleness")
            fake.put("mesh/a", b"2")
            await told.until(lambda: told.values()[-1] == {"mesh/a": b"2"}, "the put")
            fake.put("mesh/a", b"3")
            await told.until(lambda: told.values()[-1] == {"mesh/a": b"3"}, "the next")
            fake.delay_s = 0.0
            await told.until(lambda: not told.is_stale, "fresh again")


async def test_a_consul_without_a_leader_is_stale() -> None:
    async with FakeConsul() as fake, watching(fake) as told:
        fake.set(LEADER, "")
        await told.until(lambda: told.is_stale, "the staleness")
        assert told.watches.staleness.reason == "Consul has no leader"
        fake.set(LEADER, "127.0.0.1:8300")
        await told.until(lambda: not told.is_stale, "fresh again")


async def test_there_are_never_more_than_eight_connections() -> None:
    async with FakeConsul() as fake, watching(fake) as told:
        told.watches.name_services(frozenset(f"service-{number}" for number in range(200)))
        await asyncio.wait_for(told.watches.named_complete(), PATIENCE_S)
        fake.put("mesh/a", b"1")
        await told.until(lambda: told.values()[-1], "the put")
        assert fake.most_connections <= CONNECTIONS


async def test_a_storm_of_writes_is_gathered() -> None:
    async with FakeConsul() as fake, watching(fake) as told:
        before, began = fake.requests[MESH], time.monotonic()
        for number in range(300):
            fake.put("mesh/a", b"%d" % number)
            await asyncio.sleep(0.003)
        await told.until(lambda: told.values()[-1] == {"mesh/a": b"299"}, "the last put")
        # However long a busy machine takes for it: the burst, the last of all, and one for each space between two.
        most = BURST + 1 + (time.monotonic() - began) / SPACING_S
        assert fake.requests[MESH] - before <= most


async def test_an_idle_node_asks_for_nothing_but_the_leader() -> None:
    async with FakeConsul() as fake:
        fake.put("mesh/a", b"1")
        fake.put("meshnode/status/n", b"1")
        fake.put("meshnode/ca/roots", b"1")
        async with watching(fake) as told:
            await asyncio.sleep(2.5)  # the sweep looks a second time once it was quiet
            before, updates = fake.requests.copy(), len(told.updates)
            await asyncio.sleep(1.0)
            asked = fake.requests - before
            assert set(asked) == {LEADER}
            assert len(told.updates) == updates
            assert told.client.cost.wakeups == 0


async def test_named_services_are_swept_when_the_catalog_moves() -> None:
    async with FakeConsul() as fake:
        fake.set("/v1/health/service/web", [instance("web", "web-1")])
        async with watching(fake) as told:
            told.watches.name_services(frozenset({"web", "nobody"}))
            await asyncio.wait_for(told.watches.named_complete(), PATIENCE_S)
            swept = {u.service: u.instances for u in told.updates if isinstance(u, InstancesUpdate)}
            assert [one.id for one in swept["web"]] == ["web-1"]
            assert swept["nobody"] == ()
            fake.set("/v1/health/service/web", [instance("web", "web-1", port=81)])
            fake.set("/v1/catalog/services", {"consul": []})  # the same body, a new index
            await told.until(lambda: len(told.of(InstancesUpdate)) == 3, "the new port")
            last = told.of(InstancesUpdate)[-1]
            assert isinstance(last, InstancesUpdate)
            assert last.instances[0].port == 81


async def test_a_service_that_is_no_longer_named_is_not_swept() -> None:
    async with FakeConsul() as fake, watching(fake) as told:
        told.watches.name_services(frozenset({"web", "db"}))
        await asyncio.wait_for(told.watches.named_complete(), PATIENCE_S)
        told.watches.name_services(frozenset({"db"}))
        await asyncio.wait_for(told.watches.named_complete(), PATIENCE_S)
        before = fake.requests.copy()
        fake.set("/v1/catalog/services", {"consul": [], "x": []})
        await told.until(lambda: (fake.requests - before)["/v1/health/service/db"], "the sweep")
        assert not (fake.requests - before)["/v1/health/service/web"]


async def test_what_runs_here_is_told_without_what_is_ours() -> None:
    async with FakeConsul() as fake:
        services = {
            name: {"ID": name, "Service": name, "Port": 1, "Address": ""}
            for name in ("web", "meshnode", "edge", "consul")
        }
        fake.set("/v1/catalog/node/node-1", {"Node": NODE, "Services": services})
        async with watching(fake) as told:
            local = told.of(LocalServicesUpdate)[-1]
            assert isinstance(local, LocalServicesUpdate)
            assert [one.service for one in local.instances] == ["web"]


async def test_a_flap_that_is_over_is_told_with_its_index() -> None:
    path = "/v1/health/state/any"
    async with FakeConsul() as fake, watching(fake) as told:
        fake.set(path, [])
        index = fake.index
        await told.until(lambda: len(told.of(UnhealthyUpdate)) == 2, "the same checks again")
        last = told.of(UnhealthyUpdate)[-1]
        assert isinstance(last, UnhealthyUpdate)
        assert (last.checks, last.consul_index) == ((), index)


@pytest.mark.parametrize(
    ("configured", "decided", "policy", "is_disagreement"),
    [
        ("", True, "allow", False),
        ("deny", False, "deny", False),
        ("deny", True, "deny", True),
    ],
)
async def test_the_default_intention_is_read_and_compared(
    configured: str, *, decided: bool, policy: str, is_disagreement: bool
) -> None:
    async with FakeConsul() as fake:
        fake.set(
            "/v1/agent/self",
            {
                "Config": {"NodeName": "node-1", "Datacenter": "dc1"},
                "Member": {"Addr": "127.0.0.1"},
                "DebugConfig": {"DefaultIntentionPolicy": configured},
            },
        )
        reason = "Default behavior configured by ACLs"
        fake.set("/v1/agent/connect/authorize", {"Authorized": decided, "Reason": reason})
        async with watching(fake) as told:
            [update] = told.of(DefaultIntentionUpdate)
            assert isinstance(update, DefaultIntentionUpdate)
            assert update.policy == policy
            assert bool(update.disagreement) == is_disagreement


async def test_a_wake_without_news_makes_every_watch_ask_anew() -> None:
    """So Consul ends all queries when it restores a snapshot; who was not waiting just then must hear of it too."""
    async with FakeConsul() as fake:
        fake.put("mesh/a", b"new")
        async with watching(fake) as told:
            paths = (MESH, "/v1/catalog/services")
            before = [asked_anew(fake, path) for path in paths]
            same = Scripted(body=b"[]", headers={"X-Consul-Index": "10"})
            fake.script("/v1/config/service-intentions", same)
            fake.set("/v1/config/service-intentions", [])
            await told.until(
                lambda: [asked_anew(fake, path) for path in paths] == [n + 1 for n in before],
                "two watches that asked anew",
            )


def asked_anew(fake: FakeConsul, path: str) -> int:
    return sum(at == path and "index" not in query for at, query in fake.queries)


@pytest.mark.parametrize("times", [1, 2])
async def test_an_index_far_ahead_is_doubted(times: int) -> None:
    """Told once it is asked for again; told twice a question with it is not left open for minutes."""
    async with FakeConsul() as fake:
        fake.put("mesh/routes/a", b"1")
        async with watching(fake) as told:
            body = json.dumps([*fake.keys.values()]).encode()
            lie = Scripted(body=body, headers={"X-Consul-Index": str(2**53)})
            fake.script("/v1/kv/mesh/", *[lie] * times)
            fake.put("mesh/routes/a", b"2")
            await told.until(lambda: told.values()[-1] == {"mesh/routes/a": b"2"}, "the put")
            fake.put("mesh/routes/a", b"3")
            await told.until(lambda: told.values()[-1] == {"mesh/routes/a": b"3"}, "the next")
