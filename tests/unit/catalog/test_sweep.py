import asyncio

from catalog.sweep import AT_ONCE
from catalog.update import InstancesUpdate
from tests.support.fake_consul import FakeConsul, Scripted

from .watching import PATIENCE_S, Told, watching

WEB = "/v1/health/service/web"
NODE = {"Node": "node-1", "Address": "10.0.0.1"}


def instance(port: int = 80) -> dict[str, object]:
    service = {"ID": "web-1", "Service": "web", "Port": port, "Address": ""}
    return {"Node": NODE, "Service": service, "Checks": []}


def told_of(told: Told, service: str = "web") -> list[list[int]]:
    """The ports of the service's instances, update by update."""
    return [
        [one.port for one in update.instances]
        for update in told.updates
        if isinstance(update, InstancesUpdate) and update.service == service
    ]


def consistent(fake: FakeConsul) -> int:
    return sum(path == WEB and "consistent" in query for path, query in fake.queries)


async def named(told: Told, *services: str) -> None:
    told.watches.name_services(frozenset(services))
    await asyncio.wait_for(told.watches.named_complete(), PATIENCE_S)


async def test_an_answer_of_a_server_that_is_behind_is_asked_for_again() -> None:
    async with FakeConsul() as fake:
        fake.set(WEB, [instance(80)])
        async with watching(fake) as told:
            await named(told, "web")
            fake.set(WEB, [instance(81)])
            fake.script(WEB, Scripted(body=b"[]", headers={"X-Consul-Index": "3"}))
            fake.set("/v1/catalog/services", {"consul": []})
            await told.until(lambda: told_of(told)[-1] == [81], "the new port")
            assert told_of(told) == [[80], [81]]
            assert consistent(fake) == 1


async def test_what_comes_back_as_it_was_is_told_each_time_and_what_stays_is_not() -> None:
    """Bodies are told apart by their hashes: only what is as it was is not read again."""
    async with FakeConsul() as fake:
        fake.set(WEB, [instance(80)])
        async with watching(fake) as told:
            await named(told, "web")
            for port in (81, 81, 80):
                fake.set(WEB, [instance(port)])
                fake.set("/v1/catalog/services", {"consul": []})
                asked = fake.requests[WEB]
                await told.until(
                    lambda asked=asked, port=port: (  # type: ignore[misc]
                        fake.requests[WEB] > asked and told_of(told)[-1] == [port]
                    ),
                    "the sweep",
                )
            assert told_of(told) == [[80], [81], [80]]


async def test_a_service_that_lost_all_instances_is_asked_for_again() -> None:
    async with FakeConsul() as fake:
        fake.set(WEB, [instance()])
        async with watching(fake) as told:
            await named(told, "web")
            fake.set(WEB, [])
            fake.set("/v1/catalog/services", {"consul": []})
            await told.until(lambda: told_of(told)[-1] == [], "no instance")
            assert consistent(fake) == 1


async def test_a_service_that_may_not_be_read_hides_no_other() -> None:
    async with FakeConsul() as fake:
        fake.set(WEB, [instance()])
        said = b"lacks permission 'service:read' on \"secret\""
        fake.script("/v1/health/service/secret", *[Scripted(status=403, body=said)] * 3)
        async with watching(fake) as told:
            told.watches.name_services(frozenset({"web", "secret"}))
            await told.until(lambda: told_of(told) == [[80]], "the other service")
            await told.until(lambda: told.is_stale, "the staleness")
            assert "service_prefix" in told.watches.staleness.reason
            await told.until(lambda: not told.is_stale, "the end of it")
            assert told_of(told, "secret") == [[]]


async def test_nothing_is_told_twice() -> None:
    async with FakeConsul() as fake:
        fake.set(WEB, [instance()])
        async with watching(fake) as told:
            await named(told, "web")
            before = fake.requests[WEB]
            fake.set("/v1/catalog/services", {"consul": []})
            await told.until(lambda: fake.requests[WEB] > before, "the sweep")
            fake.set("/v1/catalog/services", {"consul": [], "new": []})
            await told.until(lambda: fake.requests[WEB] > before + 1, "another")
            assert told_of(told) == [[80]]


async def test_many_services_are_swept_at_most_every_two_seconds() -> None:
    async with FakeConsul() as fake, watching(fake) as told:
        await named(told, *(f"service-{number}" for number in range(AT_ONCE + 1)))
        for number in range(10):
            fake.set("/v1/catalog/services", {"consul": [], f"new-{number}": []})
            await asyncio.sleep(0.1)
        assert fake.requests["/v1/health/service/service-0"] == 1
        await told.until(
            lambda: fake.requests["/v1/health/service/service-0"] == 2, "the next sweep"
        )


async def test_a_few_services_are_swept_at_once() -> None:
    async with FakeConsul() as fake:
        fake.set(WEB, [instance()])
        async with watching(fake) as told:
            await named(told, "web")
            await asyncio.sleep(0.2)
            fake.set(WEB, [instance(81)])
            fake.set("/v1/catalog/services", {"consul": []})
            await told.until(lambda: told_of(told)[-1] == [81], "the new port", timeout=0.5)
