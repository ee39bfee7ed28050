"""The lines of a page typed in a person's shell beside `meshnode dev`, and whether they say what the page says.

The demo runs in a network of its own, so that every port is the one the pages name. Reads no page.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from tests.support.mesh import COMMANDS
from tests.support.pages import Page, Step
from tests.support.process import Finished, Process, ProcessError, run, wait_until
from tests.support.tools import tool_path

SHELLS = {
    "bash": ("bash", "--norc", "-c"),
    "dash": ("dash", "-c"),
    "zsh": ("zsh", "-f", "-c"),
    "fish": ("fish", "--no-config", "-c"),
}
# A network with nothing in it but loopback.
OWN_NETWORK = ("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
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


class TypedDemo:
    """`meshnode dev` with `arguments`, and one program more; `environment` is what a person's shell has beside its own.

    With `is_apart` False it stands in the network this process has, which is one of its own already.
    """

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        is_apart: bool = True,
    ) -> None:
        self._folder = folder
        self._environment = dict(environment or {})
        self._is_apart = is_apart
        words = [*(OWN_NETWORK if is_apart else ()), str(COMMANDS / "meshnode"), "dev", *arguments]
        self.mesh = Process("demo", words, folder=folder, env={"HOME": str(folder)})
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
        """Before a command: in the demo's network."""
        return ["nsenter", f"--net=/proc/{self.mesh.pid}/ns/net", "--"] if self._is_apart else []

    async def typed(self, shell: str, line: str, folder: Path) -> Finished:
        path = f"{COMMANDS}:{tool_path('consul').parent}:{os.environ['PATH']}"
        own = {"HOME": str(folder), "PATH": path, "LANG": "C.UTF-8"}
        words = [*self.inside(), *SHELLS[shell], line]
        environment = own | self._environment
        return await run(*words, env=environment, cwd=folder, check=False, timeout=PATIENCE_S)

    async def says(self, shell: str, page: Page, step: Step, folder: Path) -> str:
        """What the step said, once it is as the page has it: a change takes its time to all nodes, and hardly a line
        does harm twice. Raises ProcessError with both where it never is.
        """
        last = ""

        async def is_so() -> bool:
            nonlocal last
            said = await self.typed(shell, step.typed, folder)
            last = (said.stdout + said.stderr).replace(AGAIN, "")
            return said.code < NOT_FOUND and step.is_said_by(last)

        is_once = step.typed.startswith(ONCE)
        if not (await is_so() if is_once else await _comes_true(is_so)):
            wanted = "\n".join(step.says)
            raise ProcessError(
                f"{page.path.name}:{step.number} in {shell}: $ {step.typed}\nwanted:\n{wanted}\nsaid:\n{last}"
            )
        return last

    async def end(self) -> None:
        """As Ctrl-C does: a demo that is killed needs a moment more until all of it is gone."""
        if self.hello is not None:
            self.hello.kill()
        if self.mesh.is_running:
            self.mesh.signal(signal.SIGINT)
            await self.mesh.wait(READY_S)
        self.mesh.kill()


def prepare(page: Page, folder: Path) -> None:
    """The files the page shows, in the folder its lines are typed in."""
    # On a terminal curl shows no progress.
    (folder / ".curlrc").write_text("silent\n")
    for file, text in page.files.items():
        (folder / file).write_text(text)


async def _comes_true(condition: Callable[[], Awaitable[bool]]) -> bool:
    try:
        return await wait_until(condition, PATIENCE_S, interval=PAUSE_S)
    except TimeoutError:
        return False
