"""Fixtures for every test, and the check that a session leaves no program behind."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support import leftovers
from tests.support.consul import ConsulCluster
from tests.support.jaeger import Jaeger

# No test is timed: a busy machine says nothing about the code.
settings.register_profile("meshnode", deadline=None)
settings.load_profile("meshnode")

_left: list[leftovers.Descendant] = []


@pytest.fixture
async def consul(tmp_path: Path) -> AsyncIterator[ConsulCluster]:
    """Three agents without ACLs, for one test. Mark the test `consul`."""
    async with ConsulCluster(tmp_path / "consul") as cluster:
        yield cluster


@pytest.fixture
async def consul_acl(tmp_path: Path) -> AsyncIterator[ConsulCluster]:
    """Three agents with ACLs, default deny, for one test. Mark the test `consul`."""
    async with ConsulCluster(tmp_path / "consul", acl=True) as cluster:
        yield cluster


@pytest.fixture
async def jaeger(tmp_path: Path) -> AsyncIterator[Jaeger]:
    """A Jaeger of one test's own. Mark the test `jaeger`."""
    async with Jaeger(tmp_path / "jaeger") as running:
        yield running


def pytest_sessionstart() -> None:
    leftovers.become_subreaper()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A program that outlives its test fails the session, and is killed."""
    _left.extend(leftovers.remaining())
    if _left:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _left:
        terminalreporter.section("left running, killed now", red=True)
    for one in _left:
        terminalreporter.line(
            f"{one.pid} {one.command}\n    started in {one.test or 'an unknown test'}"
        )
