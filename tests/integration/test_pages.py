"""Each example of README and docs/, typed as it stands in bash, dash, zsh and fish beside a running mesh, says what is written."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import run
from tests.support.pages import read_page
from tests.support.typed import SHELLS, TypedDemo, prepare

pytestmark = pytest.mark.consul

ROOT = Path(__file__).parents[2]
# Written from code, with examples of their own: tests/integration/test_examples.py.
GENERATED = ("docs/commands", "docs/settings.md")
# Typed on real Consul instead: make tutorial.
TUTORIAL = "docs/tutorial.md"
PAGES = {
    str(path.relative_to(ROOT)): read_page(path)
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    if not str(path.relative_to(ROOT)).startswith(GENERATED)
}
# What the demo has to begin with.
AS_FOUND = ["mesh/routes/shop:shop.test/ -> front"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TypedDemo]:
    """One for all pages: each leaves it as it found it."""
    running = TypedDemo(tmp_path_factory.mktemp("pages"))
    try:
        asyncio.run(running.start())
        yield running
    finally:
        asyncio.run(running.end())


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    "name", [name for name, page in PAGES.items() if page.steps and name != TUTORIAL]
)
async def test_every_example_says_what_is_written(
    name: str, shell: str, demo: TypedDemo, tmp_path: Path
) -> None:
    page = PAGES[name]
    prepare(page, tmp_path)
    for step in page.steps:
        await demo.says(shell, page, step, tmp_path)
    left = (await demo.typed("bash", "consul kv get -recurse mesh/", tmp_path)).stdout
    assert left.splitlines() == AS_FOUND, "a reader is left with what the page tried"


async def test_the_tutorial_is_read_alike_by_every_shell(tmp_path: Path) -> None:
    """What `make test` types in bash alone (make tutorial, in all of them): each hands its programs the same words."""
    for program in ("consul", "curl", "meshnode"):
        (tmp_path / program).write_text('#!/bin/sh\nprintf \'%s\\n\' "${0##*/}" "$@"\n')
        (tmp_path / program).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    for step in PAGES[TUTORIAL].steps:
        said = {
            shell: (await run(*words, step.typed, env=environment, cwd=tmp_path)).stdout
            for shell, words in SHELLS.items()
        }
        assert len(set(said.values())) == 1, said
        assert said["bash"].split("\n")[0] == step.typed.split()[0]


def test_no_example_holds_a_note() -> None:
    """A zsh at its prompt takes no comment."""
    for page in PAGES.values():
        for step in page.steps:
            assert " # " not in step.typed, step


# Lines of plain fences that are commands: each says where it is run instead, by its beginning.
ELSEWHERE = {
    "make ": "the tests are run by it; make demo: test_demo_ends.py",
    "meshnode agent": "every node of the tests",
    "meshnode join": "test_join_leave.py",
    "meshnode leave": "test_join_leave.py",
    "meshnode stop": "test_examples.py",
    "meshnode dev": "test_demo.py, test_demo_outside.py",
    "meshnode registry": "test_examples.py, tests/contract",
    "meshnode tls put": "test_tls.py",
    "meshnode config": "test_packaging.py, test_examples.py",
    "meshnode completion": "test_completion.py",
    "meshnode acl": "test_examples.py, test_agent_placed.py",
    "python3 -m http.server": "the fixture here",
    "python3 -m venv": "test_packaging.py",
    "useradd": "test_packaging.py reads the unit that names it",
    "systemctl": "no systemd runs in a test; test_packaging.py checks the unit by systemd-analyze",
    "curl -H 'Host: shop.test' http://127.0.0.1:8080/cart": "the demo's screen: test_demo.py",
    "meshnode history": "test_history.py",
    "meshnode diff": "test_history.py",
    "meshnode undo": "test_history.py",
    "docker compose": "test_compose.py runs what it would run, without Docker",
    "consul acl policy create": "test_faults_token.py",
    "git clone": "whoever reads this has done so",
}
COMMAND = re.compile(
    r"^\$? ?(make|meshnode|consul|curl|docker|systemctl|useradd|python3|pip|git|sudo) "
)


@pytest.mark.parametrize("name", PAGES)
def test_every_command_of_a_plain_fence_is_run_elsewhere(name: str) -> None:
    for line in PAGES[name].others:
        # The picture names commands too.
        if COMMAND.match(line) and "·" not in line:
            typed = line.removeprefix("$ ")
            assert any(typed.startswith(one) for one in ELSEWHERE), f"{name}: {line}"
