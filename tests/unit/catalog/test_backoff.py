import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.backoff import CAP_S, FIRST_S, Interruption, Trouble, delay_s, persist
from catalog.errors import CatalogError, ConsulUnreachable

AWAY = ConsulUnreachable("127.0.0.1:1", "connection refused")


class Flaky:
    """Fails `failures` times, then answers."""

    def __init__(self, failures: int) -> None:
        self.left = failures
        self.calls = 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.left:
            self.left -= 1
            raise AWAY
        return "done"


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_a_delay_is_never_above_its_cap_nor_nothing(attempt: int, jitter: float) -> None:
    assert FIRST_S / 2 <= delay_s(attempt, jitter, CAP_S) <= CAP_S


async def test_what_fails_is_tried_again_and_told() -> None:
    told: list[CatalogError] = []
    flaky = Flaky(2)
    result = await persist(
        flaky, failed=told.append, interruption=Interruption(), jitter=random.Random(1)
    )
    assert (result, told, flaky.calls) == ("done", [AWAY, AWAY], 3)


async def test_other_errors_go_through() -> None:
    async def broken() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await persist(
            broken, failed=lambda _: None, interruption=Interruption(), jitter=random.Random(1)
        )


async def test_an_interruption_ends_every_wait_and_the_count_begins_anew() -> None:
    interruption = Interruption()
    interruption.is_announced = True
    flaky = Flaky(12)
    delays: list[float] = []

    async def slept(seconds: float) -> bool:
        delays.append(seconds)
        return len(delays) == 10  # as if Consul came back then

    interruption.sleep = slept  # type: ignore[method-assign]  # the clock of this test
    await persist(flaky, failed=lambda _: None, interruption=interruption, jitter=random.Random(1))
    assert delays[9] > 1.0
    assert delays[10] <= FIRST_S


async def test_whoever_sleeps_on_an_interruption_is_woken_by_it() -> None:
    interruption = Interruption()
    sleepers = [asyncio.create_task(interruption.sleep(60)) for _ in range(3)]
    await asyncio.sleep(0)
    interruption.end()
    assert await asyncio.wait_for(asyncio.gather(*sleepers), 1) == [True, True, True]
    assert await interruption.sleep(0.001) is False


def test_trouble_is_told_once_and_so_is_its_end() -> None:
    told: list[CatalogError | None] = []
    trouble = Trouble(told.append)
    trouble.over()
    trouble.failed(AWAY)
    trouble.failed(AWAY)
    trouble.over()
    trouble.over()
    assert told == [AWAY, None]
