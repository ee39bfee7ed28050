"""What a handshake of TLS 1.3 costs the edge: whole ones, and those that go on with a session (a ticket)."""

import asyncio
import socket
import ssl
from collections import defaultdict
from contextlib import AsyncExitStack

from benchmarks import cores
from benchmarks.bench import Bench, Scenario, Setup
from benchmarks.figures import OURS, Figure
from benchmarks.load import LoadError
from benchmarks.origin import Origin
from benchmarks.peers import envoy, haproxy, meshnode, nginx
from benchmarks.peers.subject import request_bytes, trusting

SETUPS: dict[str, Setup] = {
    OURS: meshnode.tls,
    "nginx": nginx.tls,
    "HAProxy": haproxy.tls,
    "Envoy": envoy.tls,
}
# At once: a client takes longer for one than the edge does, so each step of all of them is made ready, then sent. Else
# the edge would sleep between, and to wake it would be a part of what is measured.
BATCH = 50
# Of each kind a sample.
BATCHES = 8
TIMEOUT_S = 20.0
KINDS = ("full", "resumed")


async def _run(bench: Bench) -> list[Figure]:
    samples: dict[tuple[str, str], list[float]] = defaultdict(list)
    async with AsyncExitStack() as stack:
        stack.enter_context(cores.apart())
        folder = bench.site("handshakes", "origin", "").folder
        origin = await stack.enter_async_context(Origin(folder))
        subjects = await bench.start(stack, HANDSHAKES.name, SETUPS, origin.address)
        for number in range(bench.rounds):
            for name, subject in subjects.items():
                for kind in KINDS:
                    client = await asyncio.to_thread(Client, subject.address, kind)
                    await asyncio.to_thread(client.shake, 1)
                    before = subject.cpu_ns()
                    await asyncio.to_thread(client.shake, BATCHES)
                    cpu_us = (subject.cpu_ns() - before) / 1000 / BATCH / BATCHES
                    samples[kind, name].append(cpu_us)
                    bench.tell(
                        f"  handshakes {number + 1}/{bench.rounds} {name:12} {kind:7} {cpu_us:6.1f} µs CPU, "
                        f"{1_000_000 / cpu_us:6.0f} a CPU second"
                    )
    return [
        Figure(HANDSHAKES.name, f"{kind}, CPU µs a handshake", name, tuple(values))
        for (kind, name), values in samples.items()
    ]


class Client:
    """Makes connections with a handshake and nothing else, and closes them."""

    def __init__(self, address: str, kind: str) -> None:
        host, _, port = address.partition(":")
        self._place = (host, int(port))
        self._context = trusting()
        self._is_resumed = kind == "resumed"
        self._session = self._first_session() if self._is_resumed else None

    def shake(self, batches: int) -> None:
        for _ in range(batches):
            ends = [End(self._place, self._context, self._session) for _ in range(BATCH)]
            while any(end.is_open for end in ends):
                for step in (End.think, End.send, End.receive):
                    for end in ends:
                        step(end)
            for end in ends:
                end.close()
                if end.tls.session_reused != self._is_resumed:
                    raise LoadError("a session was not gone on with, or one that nobody had")

    def _first_session(self) -> ssl.SSLSession | None:
        """That of a connection with a request: the ticket comes behind the handshake."""
        plain = socket.create_connection(self._place, timeout=TIMEOUT_S)
        with self._context.wrap_socket(plain) as connection:
            connection.sendall(request_bytes())
            connection.recv(65_536)
            return connection.session


class End:
    """The client's end of one connection, whose handshake goes on step by step."""

    def __init__(
        self, place: tuple[str, int], context: ssl.SSLContext, session: ssl.SSLSession | None
    ) -> None:
        self._socket = socket.create_connection(place, timeout=TIMEOUT_S)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, session=session)
        self.is_open = True
        """Whether the handshake still needs something."""

    def think(self) -> None:
        """Goes on as far as what has come goes."""
        try:
            self.tls.do_handshake()
            self.is_open = False
        except ssl.SSLWantReadError:
            pass

    def send(self) -> None:
        self._socket.sendall(self._outgoing.read())

    def receive(self) -> None:
        if self.is_open:
            self._incoming.write(self._socket.recv(65_536))

    def close(self) -> None:
        self._socket.close()


HANDSHAKES = Scenario("handshakes", "what a handshake of TLS 1.3 costs, whole and resumed", _run)
