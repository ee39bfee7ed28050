"""HTTP to one Consul agent over few kept connections; keeps the headers. Knows no call of Consul's API by name.

Has the methods python-consul2 wants of its HTTP client, so that its request builders can be used; what it makes of
answers is not used: it drops the headers.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote, urlencode

import orjson
from yarl import URL

from .errors import NOBODY, ConsulAnswerError, ConsulDenied, ConsulUnreachable
from .http_answer import HttpBroken
from .http_client import HttpClient, HttpConnection, request_bytes
from .rights import missing_right

# 10,000 keys are 2.4 MB. Beyond this a node would spend seconds a change: better a sentence than a node out of memory.
MAX_ANSWER_BYTES = 64 * 2**20
# Consul adds up to a sixteenth of `wait` itself; a busy server takes a moment more.
WAIT_SLACK_SECONDS = 2.0
# How much of Consul's words an error carries.
ERROR_TEXT_CHARACTERS = 300
ACCEPTED = frozenset({200, 404, 409})
NOT_CONSUL = "without the header X-Consul-Index, so it is not Consul who answers: is this the address of its HTTP API?"
# On every answer of Consul's, errors included.
OWN_HEADERS = "x-consul"

# Asked again where a kept connection turns out to be closed: doing it twice leaves what doing it once does.
REPEATED = frozenset({"GET", "PUT", "DELETE"})

Parameters = Sequence[tuple[str, str | int]]


@dataclass(slots=True)
class Cost:
    """What this node asked of Consul since its start; counters only go up."""

    requests: int = 0
    """Requests sent, watches included."""
    errors: int = 0
    """Requests without an answer one could use."""
    received_bytes: int = 0
    """Bodies only."""
    sent_bytes: int = 0
    """Bodies only."""
    connections: int = 0
    """Connections opened."""
    wakeups: int = 0
    """Answers of watches after the first, those included that changed nothing."""
    wakeups_idle: int = 0
    """Answers of watches that changed nothing, waits that ran out included."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where Consul's HTTP API is, as the setting says it and as a URL."""

    text: str
    url: str

    @classmethod
    def parse(cls, text: str) -> Address:
        """Takes `host:port`, `http://…`, `https://…`. Raises ValueError with a sentence."""
        url = URL(text if "://" in text else f"http://{text}")
        if url.scheme not in ("http", "https") or not url.host or url.path not in ("", "/"):
            raise ValueError(
                f'"{text}" is no address of Consul: write it as 127.0.0.1:8500 or https://host:8501'
            )
        explicit = url.explicit_port or (8500 if url.scheme == "http" else 8501)
        return cls(text, str(url.with_port(explicit).origin()))


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: 200, 404 or 409, with its headers (names in lower case) and its body unread."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def index(self) -> int:
        """X-Consul-Index; 0 where there is none or it is no number."""
        text = self.headers.get("x-consul-index", "")
        return int(text) if text.isascii() and text.isdigit() else 0

    @property
    def is_filtered(self) -> bool:
        """True if ACLs took something out of the answer. Consul never says so to the anonymous token."""
        return self.headers.get("x-consul-results-filtered-by-acls") == "true"

    @property
    def has_leader(self) -> bool:
        """False when the server that answered knows no leader: what it says may be old."""
        return self.headers.get("x-consul-knownleader", "true") == "true"

    @property
    def default_policy(self) -> str | None:
        """The ACL default policy, `allow` or `deny`; None where Consul does not say."""
        return self.headers.get("x-consul-default-acl-policy")

    def of_consul(self) -> Self:
        """The same answer to a read. Raises ConsulAnswerError for one without X-Consul-Index, which Consul never forgets.

        A 404 of something in between (a balancer, another program at the address) would else be an empty mesh.
        """
        if "x-consul-index" not in self.headers:
            raise ConsulAnswerError(self.status, NOT_CONSUL)
        return self

    def json(self) -> Any:
        """The body as JSON, None for a 404. Raises ConsulAnswerError for a body that is none."""
        if self.status == 404:
            return None
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise ConsulAnswerError(self.status, f"a body that is no JSON ({error})") from error


class Transport:
    """At most `connections` connections to one agent, opened when needed and kept."""

    def __init__(
        self,
        address: Address,
        *,
        token: str | None,
        timeout_s: float,
        connections: int,
        cost: Cost,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.address = address
        self.default_policy: str | None = None
        """The ACL default policy that stood in the last answer."""
        self._fields = _fields(address, token)
        self._timeout_s = timeout_s
        self._cost = cost
        self._tls = tls
        self._connections = connections
        self._http: HttpClient | None = None

    async def request(
        self,
        method: str,
        path: str,
        params: Parameters = (),
        body: bytes | None = None,
        *,
        accepted: Collection[int] = ACCEPTED,
    ) -> Answer:
        """One call. `params` with `wait` (a blocking query, in seconds) get the time for it on top.

        Raises ConsulUnreachable, ConsulDenied, ConsulAnswerError (any other status than `accepted`).
        """
        self._cost.requests += 1
        self._cost.sent_bytes += len(body or b"")
        try:
            answer = await self._exchange(method, path, params, body)
            self.default_policy = answer.default_policy or self.default_policy
            _refuse(answer, accepted)
        except BaseException:
            self._cost.errors += 1
            raise
        return answer

    async def close(self) -> None:
        if self._http is not None:
            http, self._http = self._http, None
            http.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # What python-consul2 calls. The callback would read the body and lose the headers; the headers would hold a token.

    async def get(self, _callback: Any, path: str, params: Any = None, **_: Any) -> Answer:
        return await self.request("GET", path, params or ())

    async def put(
        self, _callback: Any, path: str, params: Any = None, data: Any = "", **_: Any
    ) -> Answer:
        return await self.request("PUT", path, params or (), _bytes(data))

    async def post(
        self, _callback: Any, path: str, params: Any = None, data: Any = "", **_: Any
    ) -> Answer:
        return await self.request("POST", path, params or (), _bytes(data))

    async def delete(self, _callback: Any, path: str, params: Any = None, **_: Any) -> Answer:
        return await self.request("DELETE", path, params or ())

    async def _exchange(
        self, method: str, path: str, params: Parameters, body: bytes | None
    ) -> Answer:
        limit_s = self._timeout_s + _blocking_seconds(params)  # the wait for a connection included
        target = quote(path, safe="/:") + _query(params)
        request = request_bytes(method, target, self._fields, body)
        try:
            async with asyncio.timeout(limit_s):
                answer = await self._open().exchange(request, may_repeat=method in REPEATED)
        except TimeoutError as error:
            raise ConsulUnreachable(self.address.text, f"nothing within {limit_s:g} s") from error
        except (HttpBroken, OSError) as error:
            raise ConsulUnreachable(self.address.text, _cause(error)) from error
        self._cost.received_bytes += len(answer.body)
        return Answer(answer.status, answer.headers, answer.body)

    def _open(self) -> HttpClient:
        """Made at the first call: connections belong to the loop that runs."""
        if self._http is None:
            self._http = HttpClient(self._dial, most=self._connections, limit=MAX_ANSWER_BYTES)
        return self._http

    async def _dial(self, make: Callable[[], HttpConnection]) -> HttpConnection:
        """A connection within the time for a call, however long its answer may take. Raises OSError."""
        url = URL(self.address.url)
        host, port = url.host or "", url.port or 0  # Address has seen to both
        tls = (self._tls or True) if url.scheme == "https" else None
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._timeout_s):
            _, connection = await loop.create_connection(make, host, port, ssl=tls)
        self._cost.connections += 1
        return connection


def _fields(address: Address, token: str | None) -> bytes:
    """The header lines of every request. ValueError for a token that would be more than one."""
    url = URL(address.url)
    # Packing costs both sides more than loopback does.
    fields = f"Host: {url.authority}\r\nAccept-Encoding: identity\r\n"
    if token:
        if not (token.isascii() and token.isprintable()):
            raise ValueError(
                "the token of Consul holds what no token has: is a line end in its file?"
            )
        fields += f"X-Consul-Token: {token}\r\n"
    return fields.encode("ascii")


def _blocking_seconds(params: Parameters) -> float:
    for name, value in params:
        if name == "wait":
            wait_s = float(str(value).removesuffix("s"))
            return wait_s + wait_s / 16 + WAIT_SLACK_SECONDS
    return 0.0


def _query(params: Parameters) -> str:
    return "?" + urlencode(params) if params else ""


def _bytes(data: Any) -> bytes | None:
    if isinstance(data, bytes):
        return data
    return str(data).encode() if data else None


def _refuse(answer: Answer, accepted: Collection[int]) -> None:
    if answer.status in accepted:
        return
    text = answer.body[:ERROR_TEXT_CHARACTERS].decode(errors="replace").strip()
    if answer.status == 403:
        raise ConsulDenied(missing_right(text), text)
    if answer.status == 404 and not any(name.startswith(OWN_HEADERS) for name in answer.headers):
        text = NOBODY
    if 300 <= answer.status < 400:
        text = "a redirection: a key or name holds `..`, `//` or begins with `/`"
    raise ConsulAnswerError(answer.status, text or "no words")


def _cause(error: Exception) -> str:
    if isinstance(error, HttpBroken):
        return str(error)
    if isinstance(error, socket.gaierror):
        return "no such host is known"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        # Its errno is a number of OpenSSL's, not the system's.
        return f"no TLS is spoken there, or another one than ours: {error.reason}"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    return str(error) or type(error).__name__
