"""The fixture of the contract: each test runs once on the registry and once on a real Consul. Where they differ, the registry is wrong."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.contract.subject import EmbeddedRegistry, RealConsul, Subject

KINDS = (
    pytest.param(EmbeddedRegistry, id="registry"),
    pytest.param(RealConsul, id="consul", marks=pytest.mark.consul),
)


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=KINDS)
async def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Subject]:
    """One process a kind for all tests: a start of Consul takes seconds."""
    make: type[EmbeddedRegistry | RealConsul] = request.param
    async with make(tmp_path_factory.mktemp(make.kind)) as subject:
        yield subject


@pytest.fixture
async def consul(running: Subject) -> Subject:
    """The subject with nothing in it but its node."""
    await running.clear()
    return running
