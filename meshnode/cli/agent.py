"""`meshnode agent`: runs the node's agent until it is told to end. All settings are flags here, made from the table."""

from __future__ import annotations

import os

import typer

from ..config import Given, read_settings
from .options import with_all_settings
from .reach import run, token_of


def add_to(app: typer.Typer) -> None:
    app.command(epilog=EPILOG)(agent)


EPILOG = (
    "On SIGTERM the agent ends and the proxy goes on serving: the next agent adopts it. "
    "--stop-proxy ends both; so does `meshnode stop`."
)


@with_all_settings
def agent(given: Given) -> None:
    """Run this machine's node until it is told to end."""
    from ..agent.start import run_agent
    from ..log import set_up

    settings = read_settings(given)
    set_up(settings.log_level, is_journal="JOURNAL_STREAM" in os.environ)
    run(run_agent(settings, token_of(settings)))
