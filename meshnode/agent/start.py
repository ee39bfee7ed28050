"""Begins and ends the agent: folders, the lock that keeps a second one out, signals, and its one error."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Coroutine
from typing import Any

from ..config import Folders, Settings
from ..config.folders import AgentLock
from ..proxy import stop_proxy, stop_unused_proxy
from .node import Agent

_log = logging.getLogger("meshnode.agent")


async def run_agent(settings: Settings, token: str | None) -> None:
    """Runs until SIGTERM or SIGINT. Raises StartError, CatalogError or CertificateError when there is no use in going on."""
    folders = Folders.of(settings)
    folders.make()
    lock = AgentLock(folders)
    lock.take()
    try:
        await _until_told_to_end(Agent(settings, folders, token).run())
        if settings.proxy_stop_with_agent:
            await stop_proxy(folders.control_socket, settings.proxy_drain_s)
    finally:
        # An agent that could not begin leaves nothing running that serves nobody.
        await stop_unused_proxy(folders.control_socket)
        lock.release()


async def _until_told_to_end(work: Coroutine[Any, Any, None]) -> None:
    """Until SIGTERM or SIGINT, or until the work fails; then its one error is raised, without its group."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    task, waiting = asyncio.create_task(work), asyncio.create_task(told.wait())
    try:
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        task.cancel()
        await asyncio.wait({task})
    if task.cancelled():
        _log.info("told to end")
    elif (error := task.exception()) is not None:
        raise _single(error)


def _single(error: BaseException) -> BaseException:
    """The sentence in a group of errors that has but one; anything else is a fault of ours and stays whole."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
