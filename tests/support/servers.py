"""Real HTTP services as separate processes, for the tests to register in Consul."""

import json
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.support.ports import free_port
from tests.support.process import Process
from tests.support.running import Running

PROGRAM = Path(__file__).with_name("echo.py")
READY_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What an echo service said: the request as it reached it."""

    instance: str
    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    """In order, names as sent, repeated ones repeated."""
    body: str
    client: str
    """Address and port the connection came from."""
    uid: int
    """The user the service runs as."""
    called: "Called | None"
    """What its own call got, if it made one."""

    @classmethod
    def parse(cls, text: str | bytes) -> Self:
        document = json.loads(text)
        return cls(
            instance=document["instance"],
            method=document["method"],
            path=document["path"],
            headers=tuple((name, value) for name, value in document["headers"]),
            body=document["body"],
            client=document["client"],
            uid=document["uid"],
            called=None if document["called"] is None else Called.of(document["called"]),
        )

    def header(self, name: str) -> str | None:
        """The first header of this name, without regard to case."""
        return _first(self.headers, name)


@dataclass(frozen=True, slots=True)
class Called:
    """What came back from the call an echo service made."""

    url: str
    status: int | None
    """None when there was no answer; `error` says why."""
    headers: tuple[tuple[str, str], ...]
    text: str
    error: str | None

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        headers = tuple((name, value) for name, value in document.get("headers", ()))
        return cls(
            document["url"],
            document.get("status"),
            headers,
            document.get("body", ""),
            document.get("error"),
        )

    @property
    def answer(self) -> Answer:
        """The callee's own words, when it was an echo service that answered."""
        return Answer.parse(self.text)

    def header(self, name: str) -> str | None:
        return _first(self.headers, name)


class EchoServer(Running):
    """`async with EchoServer("cart-1", tmp_path) as cart:` answers at `cart.url`; `cart.process` can be killed.

    `outbound` is the address and port its calls go through (its outbound listener), `call` a URL it calls on every
    request (else a request's header `echo-call` names one). `uid` is the user it runs as (needs root); `bind_first`
    lets it bind as root before it drops rights, as many daemons do.
    """

    def __init__(
        self,
        instance: str,
        folder: Path,
        *,
        address: str = "127.0.0.1",
        port: int | None = None,
        outbound: str | None = None,
        call: str | None = None,
        uid: int | None = None,
        bind_first: bool = False,
    ) -> None:
        self.instance = instance
        self.address = address
        self.port = free_port(address) if port is None else port
        options = ["--instance", instance, "--listen", f"{address}:{self.port}"]
        options += ["--outbound", outbound] if outbound else []
        options += ["--call", call] if call else []
        options += ["--uid", str(uid)] if uid is not None else []
        options += ["--bind-first"] if bind_first else []
        self.process = Process(instance, [sys.executable, "-I", PROGRAM, *options], folder=folder)

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.port}"

    async def start(self) -> Self:
        self.process.start()
        await self.process.until(
            self._accepts, READY_SECONDS, what=f"{self.instance} accepts connections"
        )
        return self

    def close(self) -> None:
        self.process.kill()

    def _accepts(self) -> bool:
        with socket.create_connection((self.address, self.port), timeout=1):
            return True


def _first(headers: tuple[tuple[str, str], ...], name: str) -> str | None:
    return next((value for key, value in headers if key.lower() == name.lower()), None)
