"""Keeps one proxy running: adopts the one that is there, else starts one, and starts the next when it ends or freezes.

Says so to its owner (`on_up`, `on_down`) and sends the proxy nothing but the question who it is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass

from ..errors import ProxyRefused, ProxyUnreachable, StartError
from .connector import listening_peer
from .control import ControlClient
from .documents import PROTOCOL, ProxyVersion
from .process import Command, ProxyProcess, log_tail

# From the program's start to its first answer; a loaded machine takes a second.
START_TIMEOUT_S = 15.0
# Looking for the new socket: a start costs this much at most beyond what the program itself takes.
POLL_S = 0.005
# One that lived this long was well: its successor starts at once.
WELL_AFTER_S = 3.0
# The pause before the next start, by how many in a row died young; the last one is kept.
PAUSES_S = (0.0, 0.1, 0.2, 0.5, 2.0, 5.0)
# How long a proxy that listens but doesn't answer is asked before it is ended: it can't be told anything any more.
ADOPT_TIMEOUT_S = 5.0
ADOPT_ATTEMPTS = 3
# How often a running one is asked who it is: a question costs it some 50 µs.
HEALTH_EVERY_S = 5.0
# It is answered in a millisecond; a machine that needs this long for it, again and again, serves nobody.
HEALTH_TIMEOUT_S = 5.0
# Unanswered in a row before it counts as frozen: some 30 s, as a machine that comes back from a pause needs some too.
HEALTH_ATTEMPTS = 3

_log = logging.getLogger("meshnode.proxy")


@dataclass(frozen=True, slots=True)
class RunningProxy:
    """A proxy that answers, with a client of its control socket that lives as long as it does."""

    client: ControlClient
    version: ProxyVersion
    is_adopted: bool
    took_s: float
    """From looking for it, or starting it, to its first answer."""


class Supervisor:
    """`run()` goes on until it is cancelled, and then leaves the proxy running."""

    def __init__(
        self,
        command: Command,
        *,
        on_up: Callable[[RunningProxy], None],
        on_down: Callable[[str], None],
        health_every_s: float = HEALTH_EVERY_S,
        health_timeout_s: float = HEALTH_TIMEOUT_S,
    ) -> None:
        """Both are called in the event loop and must not block."""
        self._command = command
        self._on_up = on_up
        self._on_down = on_down
        self._health_every_s = health_every_s
        self._health_timeout_s = health_timeout_s
        self.restarts = 0

    async def run(self) -> None:
        """Raises StartError only if the very first proxy can't be had."""
        loop = asyncio.get_running_loop()
        deaths_in_a_row = 0
        while True:
            began = loop.time()
            try:
                await self._one_life()
            except StartError as error:
                if self.restarts == 0:
                    raise
                _log.error("%s", error)
            self.restarts += 1
            deaths_in_a_row = 0 if loop.time() - began > WELL_AFTER_S else deaths_in_a_row + 1
            await asyncio.sleep(PAUSES_S[min(deaths_in_a_row, len(PAUSES_S) - 1)])

    async def _one_life(self) -> None:
        began = asyncio.get_running_loop().time()
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(ControlClient(self._command.control_socket))
            process, version = await self._adopt(client) or await self._start(client)
            stack.callback(process.close)
            proxy = RunningProxy(
                client,
                version,
                is_adopted=not process.is_own_child,
                took_s=asyncio.get_running_loop().time() - began,
            )
            _log.info(
                "proxy %s %s (process %d, generation %d)",
                version.version, "adopted" if proxy.is_adopted else "started", process.pid, version.generation,
            )  # fmt: skip
            self._on_up(proxy)
            is_frozen = await self._end_of(process, client)
            sentence = self._why_it_ended(process)
            if is_frozen:
                sentence += "; it had not answered any more and was killed"
            _log.warning("%s", sentence)
            self._on_down(sentence)

    async def _end_of(self, process: ProxyProcess, client: ControlClient) -> bool:
        """Returns when it is gone; one that is there and answers nothing is ended: True."""
        ended = asyncio.create_task(process.ended())
        silent = 0
        try:
            while silent < HEALTH_ATTEMPTS:
                done, _ = await asyncio.wait({ended}, timeout=self._health_every_s)
                if done:
                    return False
                silent = 0 if await self._answers(client) else silent + 1
            process.kill()
            await ended
        finally:
            ended.cancel()
            await asyncio.wait({ended})
        return True

    async def _answers(self, client: ControlClient) -> bool:
        """Whether it says anything at all, be it a refusal."""
        try:
            async with asyncio.timeout(self._health_timeout_s):
                await client.version()
        except (ProxyUnreachable, TimeoutError):
            return False
        except ProxyRefused:
            pass
        return True

    async def _adopt(self, client: ControlClient) -> tuple[ProxyProcess, ProxyVersion] | None:
        """The proxy that listens already, if it speaks as we do; one that doesn't is ended here.

        It may be dying just now, killed by whoever stopped the agent before us: then there is none.
        """
        try:
            peer = await listening_peer(str(self._command.control_socket), ADOPT_TIMEOUT_S)
            process = ProxyProcess.adopt(peer.pid)
        except (OSError, TimeoutError):
            return None
        with ExitStack() as leaving:
            leaving.callback(process.close)
            version, fault = await self._ask(client)
            if version is not None and version.protocol == PROTOCOL:
                leaving.pop_all()
                return process, version
            if version is not None:
                fault = f"speaks protocol {version.protocol}, not {PROTOCOL}"
            _log.warning("the proxy that runs (process %d) %s: it is replaced", process.pid, fault)
            process.kill()
            await process.ended()
        return None

    async def _ask(self, client: ControlClient) -> tuple[ProxyVersion | None, str]:
        """What the one that listens says it is, else what is wrong with it."""
        fault = ""
        for _ in range(ADOPT_ATTEMPTS):
            try:
                async with asyncio.timeout(ADOPT_TIMEOUT_S):
                    return await client.version(), ""
            except (ProxyUnreachable, TimeoutError):
                fault = "does not answer"
            except ProxyRefused as error:
                fault = f"does not say what it is ({error.sentence})"
        return None, fault

    async def _start(self, client: ControlClient) -> tuple[ProxyProcess, ProxyVersion]:
        """A new proxy and its first answer. Raises StartError; nothing is left of one that was too slow."""
        process = ProxyProcess.start(self._command)
        with ExitStack() as leaving:
            leaving.callback(process.close)
            deadline = asyncio.get_running_loop().time() + START_TIMEOUT_S
            cause = ""
            while asyncio.get_running_loop().time() < deadline:
                if process.code is not None:
                    raise StartError(self._why_it_ended(process))
                try:
                    version = await client.version()
                except (ProxyUnreachable, ProxyRefused) as error:
                    cause = str(error.cause) if isinstance(error, ProxyUnreachable) else str(error)
                else:
                    leaving.pop_all()
                    return process, version
                await asyncio.sleep(POLL_S)
            process.kill()
            await process.ended()
        raise StartError(
            f"the proxy did not answer within {START_TIMEOUT_S:.0f} s of its start ({cause})"
        )

    def _why_it_ended(self, process: ProxyProcess) -> str:
        code = process.code
        how = "" if code is None else f" by signal {-code}" if code < 0 else f" with code {code}"
        last = log_tail(self._command.log_path)
        return f"the proxy (process {process.pid}) ended{how}" + (
            f"; it wrote: {last}" if last else ""
        )
