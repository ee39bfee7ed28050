"""All commands put together, and the one place where an error becomes a sentence and an exit code."""

from __future__ import annotations

import sys

import typer

from catalog import CatalogError
from certs import CertificateError
from observability import ObservabilityError

from .. import VERSION
from ..errors import EXIT_DONE, MeshnodeError
from . import (
    acl,
    agent,
    config,
    dev,
    intentions,
    join,
    kv,
    leave,
    registry,
    routes,
    services,
    status,
    stop,
    trace,
)
from .options import Json
from .output import complain, exit_code_of, say, say_json

app = typer.Typer(
    name="meshnode",
    help="A service mesh whose whole configuration is Consul.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog="Ends with 0: done, 1: refused or not well, 2: used wrongly, 3: not reached.",
)
for module in (agent, join, leave, dev, registry, stop, status, routes, services, trace):
    module.add_to(app)
app.add_typer(kv.app, name="kv")
app.add_typer(intentions.app, name="intentions")
app.add_typer(acl.app, name="acl")
app.add_typer(config.app, name="config")


@app.command()
def version(*, as_json: Json = False) -> None:
    """Print the version."""
    if as_json:
        say_json({"version": VERSION})
    else:
        say(f"meshnode {VERSION}")


def run() -> None:
    """Runs the command of sys.argv and ends the process."""
    as_json = "--json" in sys.argv
    try:
        app()
    except (MeshnodeError, CatalogError, CertificateError, ObservabilityError) as error:
        complain(error, as_json=as_json)
        sys.exit(exit_code_of(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # `meshnode status | head`: whoever read has enough.
        sys.stderr.close()
        sys.exit(EXIT_DONE)
