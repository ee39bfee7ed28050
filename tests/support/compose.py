"""Runs docker-compose.yml without Docker: the file's own commands, environment and ports, as processes on this machine.

Each network of the file is a network namespace with the file's names, so that `jaeger:4318` means the same. What an
image holds is the same release from the tools cache, Debian's package, or our own commands. As root only.
"""

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.support.compose_file import Container, read_compose, read_dockerfile
from tests.support.leftovers import kill_descendants
from tests.support.machines import Machines
from tests.support.process import Finished, Process, run
from tests.support.running import Running
from tests.support.tools import tool_path

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = Path(sys.executable).parent
HEALTHY_SECONDS = 90.0
# What the images run when they are given words, as their own entrypoints do.
CONSUL_AGENT = ("-data-dir=/consul/data", "-config-dir=/consul/config")
# Becomes the user late: where Python lies in root's home, nobody else may read it.
AS_USER = """
import os, runpy, sys, encodings.idna, email.parser, http.client
import meshnode.dev.service as service
uid = int(sys.argv.pop(1))
os.setgroups([]); os.setgid(uid); os.setuid(uid)
service.main()
"""


class Compose(Running):
    """`async with Compose(tmp_path) as stack:` all of the file runs and is healthy."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._image = read_dockerfile(ROOT / "Dockerfile")
        self.containers = read_compose(ROOT / "docker-compose.yml", folder / "volumes")
        own = [name for name, one in self.containers.items() if one.machine == name]
        aliases = {name: one.machine for name, one in self.containers.items() if name not in own}
        self.machines = Machines(own, aliases=aliases)
        self.processes: dict[str, Process] = {}

    async def start(self) -> Self:
        await self.machines.start()
        for name in self.containers:
            await self._start(name)
        return self

    def close(self) -> None:
        for process in self.processes.values():
            process.kill()
        kill_descendants(str(self.folder))
        self.machines.close()

    async def execute(self, container: str, *command: str, check: bool = True) -> Finished:
        """`docker compose exec CONTAINER COMMAND…`."""
        one = self.containers[container]
        words = self._local(one, [_program(command[0]), *command[1:]])
        within = self.machines.within(one.machine, words)
        return await run(*within, env=self._environment(one), check=check)

    async def curl(self, machine: str, *words: str) -> str:
        """What curl prints on that machine. ConnectionError without an answer."""
        command = ["curl", "--silent", "--show-error", "--max-time", "10", *words]
        ended = await run(*self.machines.within(machine, command), check=False)
        if ended.code:
            raise ConnectionError(ended.stderr)
        return ended.stdout

    async def _start(self, name: str) -> None:
        """Starts a container after those it waits for; one that runs already is left alone."""
        if name in self.processes:
            return
        one = self.containers[name]
        for other, condition in one.after.items():
            assert condition == "service_healthy", f"{name}: {condition}"
            await self._start(other)
            await self._until_healthy(other)
        self._lay_files(one)
        process = Process(
            name,
            self.machines.within(one.machine, self._local(one, self._words(one))),
            folder=self.folder / "logs",
            env=self._environment(one),
            cwd=ROOT,
        )
        self.processes[name] = process.start()

    async def _until_healthy(self, name: str) -> None:
        one = self.containers[name]
        check = one.healthcheck or self._image.healthcheck

        async def is_healthy() -> bool:
            return (await self.execute(name, *check, check=False)).code == 0

        await self.processes[name].until(is_healthy, HEALTHY_SECONDS, what=f"{name} is healthy")

    def _words(self, one: Container) -> list[str | Path]:
        """What the container's image runs for its command."""
        words = list(one.command) or list(self._image.command)
        image = one.image.partition(":")[0]
        if image == "hashicorp/consul":
            program: Sequence[str | Path] = [_program("consul"), words.pop(0)]
            return [*program, *(CONSUL_AGENT if program[1] == "agent" else ()), *words]
        if image == "jaegertracing/jaeger":
            return [tool_path("jaeger"), *words]
        if image == "prom/prometheus":
            return ["prometheus", *words]
        assert image == "meshnode", f"no test runs the image {one.image}"
        if one.user:
            assert words == ["python3", "-m", "meshnode.dev.service"], words
            return [sys.executable, "-c", AS_USER, one.user]
        return [_program(words[0]), *words[1:]]

    def _environment(self, one: Container) -> Mapping[str, str]:
        made = dict(self._image.environment) if one.image.startswith("meshnode:") else {}
        made.pop("PATH", None)
        return {key: self._path(one, value) for key, value in {**made, **one.environment}.items()}

    def _local(self, one: Container, words: Sequence[str | Path]) -> list[str]:
        return [self._path(one, str(word)) for word in words]

    def _path(self, one: Container, text: str) -> str:
        """A text with the container's paths as they are on this machine."""
        places = {inside: self._outside(one, inside) for inside in one.files}
        places["/consul/config"] = self._inside(one, "/consul/config")
        longest_first = sorted(places, key=len, reverse=True)
        pattern = r"(?<![\w.-])(?:" + "|".join(map(re.escape, longest_first)) + r")(?![\w.-])"
        return re.sub(pattern, lambda found: str(places[found.group()]), text)

    def _outside(self, one: Container, inside: str) -> Path:
        there = one.files[inside]
        return there if isinstance(there, Path) else self._inside(one, inside)

    def _inside(self, one: Container, path: str) -> Path:
        return self.folder / "containers" / one.name / path.lstrip("/")

    def _lay_files(self, one: Container) -> None:
        self._inside(one, "/consul/config").mkdir(parents=True, exist_ok=True)
        for inside, there in one.files.items():
            if isinstance(there, str):
                path = self._inside(one, inside)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(there)
            elif not there.exists():
                there.mkdir(parents=True)
                there.chmod(0o700)


def _program(word: str) -> str:
    """A program of an image as it is found here."""
    if word == "consul":
        return str(tool_path("consul"))
    own = COMMANDS / word
    return str(own) if own.exists() else word
