"""Each example of README and docs/, typed as it stands in bash, dash, zsh and fish beside a running mesh, says what is written."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from tests.support import Finished, Process, ProcessError, run, tool_path, wait_until
from tests.support.mesh import COMMANDS
from tests.support.pages import Page, Step, read_page

pytestmark = pytest.mark.consul

ROOT = Path(__file__).parents[2]
# Written from code, with examples of their own: tests/integration/test_examples.py.
GENERATED = ("docs/commands", "docs/settings.md")
PAGES = {
    str(path.relative_to(ROOT)): read_page(path)
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    if not str(path.relative_to(ROOT)).startswith(GENERATED)
}
SHELLS = {
    "bash": ("bash", "--norc", "-c"),
    "dash": ("dash", "-c"),
    "zsh": ("zsh", "-f", "-c"),
    "fish": ("fish", "--no-config", "-c"),
}
READY_S = 120.0
# Nodes have a change within milliseconds; a busy machine may need longer for a command alone.
PATIENCE_S = 60.0
PAUSE_S = 0.2
HELLO_PORT = 9100
# The shells' own codes: the program is not there, or none.
NOT_FOUND = 126
# What a second try of a put says beside what the page says.
AGAIN = "the same value as before; "
# Twice, it takes back what it took back.
ONCE = ("meshnode undo", "meshnode rollback")


class Demo:
    """`meshnode dev` in a network of its own, so that every port is the one the pages name; and one program more."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        words = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
        home = {"HOME": str(folder)}
        command = [*words, str(COMMANDS / "meshnode"), "dev"]
        self.mesh = Process("demo", command, folder=folder, env=home)
        self.hello: Process | None = None

    async def start(self) -> None:
        self.mesh.start()
        await self.mesh.until(
            lambda: "Ctrl-C ends all of it." in self.mesh.output(), READY_S, what="the screen"
        )
        # docs/services.md asks for it in another terminal.
        page = self._folder / "hello" / "index.html"
        page.parent.mkdir()
        page.write_text("hello from a plain program\n")
        serve = ["python3", "-m", "http.server", str(HELLO_PORT), "--directory", str(page.parent)]
        self.hello = Process("hello", [*self.inside(), *serve], folder=self._folder).start()

    def inside(self) -> list[str]:
        return ["nsenter", f"--net=/proc/{self.mesh.pid}/ns/net", "--"]

    async def typed(self, shell: str, line: str, folder: Path) -> Finished:
        path = f"{COMMANDS}:{tool_path('consul').parent}:{os.environ['PATH']}"
        environment = {"HOME": str(folder), "PATH": path, "LANG": "C.UTF-8"}
        words = [*self.inside(), *SHELLS[shell], line]
        return await run(*words, env=environment, cwd=folder, check=False, timeout=PATIENCE_S)

    async def end(self) -> None:
        """As Ctrl-C does: a demo that is killed needs a moment more until all of it is gone."""
        if self.hello is not None:
            self.hello.kill()
        if self.mesh.is_running:
            self.mesh.signal(signal.SIGINT)
            await self.mesh.wait(READY_S)
        self.mesh.kill()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One for all pages: each leaves it as it found it."""
    running = Demo(tmp_path_factory.mktemp("pages"))
    try:
        asyncio.run(running.start())
        yield running
    finally:
        asyncio.run(running.end())


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if page.steps])
async def test_every_example_says_what_is_written(
    name: str, shell: str, demo: Demo, tmp_path: Path
) -> None:
    page = PAGES[name]
    # On a terminal curl shows no progress.
    (tmp_path / ".curlrc").write_text("silent\n")
    for file, text in page.files.items():
        (tmp_path / file).write_text(text)
    for step in page.steps:
        await says(demo, shell, page, step, tmp_path)


async def says(demo: Demo, shell: str, page: Page, step: Step, folder: Path) -> None:
    """Again until it is so: a change takes its time to all nodes, and hardly a line does harm twice."""
    last = ""

    async def is_so() -> bool:
        nonlocal last
        said = await demo.typed(shell, step.typed, folder)
        last = (said.stdout + said.stderr).replace(AGAIN, "")
        return said.code < NOT_FOUND and step.is_said_by(last)

    if step.typed.startswith(ONCE):
        is_right = await is_so()
    else:
        is_right = await _comes_true(is_so)
    if not is_right:
        wanted = "\n".join(step.says)
        raise ProcessError(
            f"{page.path.name}:{step.number} in {shell}: $ {step.typed}\nwanted:\n{wanted}\nsaid:\n{last}"
        )


async def _comes_true(condition: Callable[[], Awaitable[bool]]) -> bool:
    try:
        return await wait_until(condition, PATIENCE_S, interval=PAUSE_S)
    except TimeoutError:
        return False


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
