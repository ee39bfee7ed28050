"""The agent's log: lines for people on standard error. What is secret never gets here; nothing is sent anywhere."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
# systemd's journal has times of its own.
JOURNAL_FORMAT = "%(levelname)-7s %(name)s: %(message)s"
# They say in many lines what we say in one, and only when something is wrong anyway.
FOREIGN = ("aiohttp", "asyncio", "opentelemetry", "urllib3", "grpc")


def set_up(level: str, *, is_journal: bool, stream: TextIO = sys.stderr) -> None:
    """Once, before anything is logged. `level` is a word of the setting log.level."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(OneLine(JOURNAL_FORMAT if is_journal else FORMAT))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in FOREIGN:
        logging.getLogger(name).setLevel(logging.ERROR if level != "debug" else logging.INFO)


class OneLine(logging.Formatter):
    """One event, one line: what others wrote (a key, a header) can't make a second one up."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's name)
        line = super().formatMessage(record)
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
