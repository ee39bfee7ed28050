"""One look at a service by HTTP or TCP, and what is made of several. Writes nothing; whom to ask is the caller's."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass

import aiohttp

from .check_form import OUTPUT_CHARACTERS, Definition
from .durations import SECOND_NS

DEFAULT_TIMEOUT_S = 10.0
_OK, _MULTIPLE_CHOICES, _TOO_MANY_REQUESTS = 200, 300, 429


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look found: a status and the words for it."""

    status: str
    output: str


class Smoothing:
    """A status only changes after so many findings in a row; the very first one counts at once, as in Consul."""

    def __init__(self, definition: Definition) -> None:
        self._definition = definition
        self._successes = definition.success_before_passing
        self._failures = definition.failures_before_critical

    def status(self, finding: Finding) -> str | None:
        """What the check is now; None to leave it as it was."""
        if finding.status != "critical":
            self._successes, self._failures = self._successes + 1, 0
            is_enough = self._successes >= self._definition.success_before_passing
            return finding.status if is_enough else None
        self._successes, self._failures = 0, self._failures + 1
        if self._failures >= self._definition.failures_before_critical:
            return "critical"
        is_warning = self._failures >= self._definition.failures_before_warning
        return "warning" if is_warning else None


async def probe(definition: Definition, session: aiohttp.ClientSession) -> Finding:
    """Critical for whatever goes wrong, never an error."""
    timeout_s = definition.timeout_ns / SECOND_NS or DEFAULT_TIMEOUT_S
    if definition.http:
        return await _probe_http(definition, session, timeout_s)
    return await _probe_tcp(definition, timeout_s)


async def _probe_http(
    definition: Definition, session: aiohttp.ClientSession, timeout_s: float
) -> Finding:
    """Passing for 2xx, warning for 429, critical for the rest."""
    method, url = definition.method.upper(), definition.http
    headers = [(name, value) for name, values in definition.header.items() for value in values]
    try:
        async with session.request(
            method,
            url,
            data=definition.body.encode() or None,
            headers=headers,
            allow_redirects=definition.is_following_redirects,
            ssl=_tls(definition) if url.startswith("https:") else True,
            server_hostname=definition.tls_server_name or None,
            timeout=aiohttp.ClientTimeout(total=timeout_s),
        ) as response:
            start = await response.content.read(OUTPUT_CHARACTERS)
            said = f"{response.status} {response.reason}"
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return Finding("critical", f'{method.title()} "{url}": {_reason(error, timeout_s)}')
    words = f"HTTP {method} {url}: {said} Output: {start.decode(errors='replace')}"
    if _OK <= response.status < _MULTIPLE_CHOICES:
        return Finding("passing", words)
    is_warning = response.status == _TOO_MANY_REQUESTS
    return Finding("warning" if is_warning else "critical", words)


async def _probe_tcp(definition: Definition, timeout_s: float) -> Finding:
    host, _, port = definition.tcp.rpartition(":")
    tls = _tls(definition) if definition.is_tcp_with_tls else None
    name = (definition.tls_server_name or host) if tls else None
    try:
        async with asyncio.timeout(timeout_s):
            _reader, writer = await asyncio.open_connection(
                host.strip("[]"), int(port), ssl=tls, server_hostname=name
            )
            writer.close()
    except (OSError, ValueError, OverflowError) as error:
        return Finding("critical", f"dial tcp {definition.tcp}: {_reason(error, timeout_s)}")
    return Finding("passing", f"TCP connect {definition.tcp}: Success")


def _reason(error: Exception, timeout_s: float) -> str:
    """For a person, as near to Go's words as they help."""
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout_s:g} s"
    if isinstance(error, aiohttp.ClientConnectorError):
        where = f"dial tcp {error.host}:{error.port}"
        return f"{where}: {_system(error.os_error)}"
    return _system(error) if isinstance(error, OSError) else str(error) or type(error).__name__


def _system(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connect: connection refused"
    return error.strerror or str(error)


def _tls(definition: Definition) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not definition.is_verifying_tls:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
