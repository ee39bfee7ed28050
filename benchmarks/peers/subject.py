"""One measured program or chain of them: started on the core that is its own, waited for, ended. Knows no scenario."""

import asyncio
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from benchmarks.certificates import Certificates
from benchmarks.cores import PROXY_CORE
from benchmarks.load import HOST
from benchmarks.usage import Memory, cpu_ns, memory, tree
from tests.support import Process, ProcessError, free_port, wait_until
from tests.support.running import Running

# Where the bench's own native programs are built.
EXAMPLES = Path(__file__).parents[2] / "dataplane" / "target" / "release" / "examples"
READY_SECONDS = 60.0
# How exactly a start is timed; a refused connection costs next to nothing.
POLL_SECONDS = 0.001
ANSWER_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Site:
    """What a peer is set up with. Each has a folder of its own."""

    folder: Path
    origin: str
    """Address and port of what answers behind the proxy."""
    certificates: Certificates
    proxy: Path
    """The meshnode-proxy to run."""

    def file(self, name: str, text: str, mode: int = 0o644) -> Path:
        path = self.folder / name
        path.touch(mode)
        path.write_text(text)
        return path


@dataclass(slots=True)
class Subject(Running):
    """`async with Subject(…) as subject:` runs `processes`; requests go to `address`."""

    address: str
    processes: tuple[Process, ...]
    beside: tuple[Process, ...] = ()
    """What they need and is not measured."""
    scheme: str = "http"
    """How requests come: `https` by TLS, with a certificate nobody has to believe."""
    started_s: float = field(default=0.0, init=False)
    """From the first command to the first answer."""

    async def start(self) -> Self:
        began = time.monotonic()
        for process in (*self.beside, *self.processes):
            process.start()
        try:
            await self.prepare()
            await wait_until(self._answers, READY_SECONDS, what="an answer", interval=POLL_SECONDS)
        except TimeoutError as error:
            logs = "\n".join(process.tail() for process in (*self.beside, *self.processes))
            raise ProcessError(f"{self.address} does not answer: {error}\n{logs}") from error
        self.started_s = time.monotonic() - began
        return self

    async def prepare(self) -> None:
        """Gives them what they wait for before they answer: nothing."""

    def close(self) -> None:
        for process in (*self.processes, *self.beside):
            process.kill()

    def cpu_ns(self) -> int:
        return cpu_ns(self.pids())

    def memory(self) -> Memory:
        return memory(self.pids())

    def pids(self) -> tuple[int, ...]:
        """All of it that is measured, children included."""
        return tree(process.pid for process in self.processes)

    async def _answers(self) -> bool:
        for process in self.processes:
            if not process.is_running:
                raise ProcessError(f"{process.name} ended with {process.code}\n{process.tail()}")
        return await answers(self.address, self.scheme)


def program(
    name: str, command: Sequence[str | Path], folder: Path, env: Mapping[str, str] | None = None
) -> Process:
    """A program that will run on the measured core alone; its threads and children inherit that."""
    pinned = ["taskset", "--cpu-list", str(PROXY_CORE), *command]
    return Process(name, pinned, folder=folder, env=env)


def local_address() -> str:
    return f"127.0.0.1:{free_port()}"


async def answers(address: str, scheme: str = "http") -> bool:
    """Whether a request gets 200. A refused connection is an OSError, which waiting takes as not yet."""
    host, _, port = address.partition(":")
    trust = trusting() if scheme == "https" else None
    async with asyncio.timeout(ANSWER_SECONDS):
        reader, writer = await asyncio.open_connection(host, int(port), ssl=trust)
        try:
            writer.write(request_bytes("close"))
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return False
        finally:
            writer.close()
    return head.split(b" ")[1:2] == [b"200"]


def trusting() -> ssl.SSLContext:
    """A client's side of TLS 1.3 that believes any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def request_bytes(connection: str = "keep-alive") -> bytes:
    return f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: {connection}\r\n\r\n".encode()


def require(path: Path, how: str) -> Path:
    """The path of a program; where there is none, a sentence that says how to have it."""
    if not path.exists():
        raise ProcessError(f"{path} is missing: {how}.")
    return path
