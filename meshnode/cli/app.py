"""The program around the table of commands, and the one place where an error becomes a sentence and an exit code."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import typer

from catalog import CatalogError
from certs import CertificateError
from observability import ObservabilityError

from ..errors import EXIT_DONE, EXIT_REFUSED, EXIT_USAGE, MeshnodeError, UsageError
from .commands import HELP, Commands
from .misuse import file_of, is_bare, is_misuse, sentence_of
from .output import complain, exit_code_of

# Set by the scripts of `meshnode completion`; typer answers what the shell asks.
COMPLETION_VARIABLE = "_MESHNODE_COMPLETE"

app = typer.Typer(
    name="meshnode",
    cls=Commands,
    help="A service mesh whose whole configuration is Consul.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": HELP},
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog="Ends with 0: done, 1: refused or not well, 2: used wrongly, 3: not reached.",
)


@app.callback()
def _group() -> None:
    """A service mesh whose whole configuration is Consul."""


def run() -> None:
    """Runs the command of sys.argv and ends the process."""
    as_json = "--json" in sys.argv
    words = sys.argv[1:]
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    if COMPLETION_VARIABLE in os.environ:
        # Not exported by name, but what --show-completion of any typer program calls.
        from typer.completion import completion_init  # type: ignore[attr-defined]

        completion_init()
    try:
        sys.exit(app(words, prog_name="meshnode", standalone_mode=False) or EXIT_DONE)
    except (MeshnodeError, CatalogError, CertificateError, ObservabilityError) as error:
        _end(error, as_json=as_json)
    except KeyboardInterrupt:
        sys.exit(130)
    except typer.Abort:
        # Nobody answered a question: a line of its own for what comes next.
        sys.stderr.write("\n")
        sys.exit(EXIT_REFUSED)
    except BrokenPipeError:
        # `meshnode status | head`: whoever read has enough.
        sys.stderr.close()
        sys.exit(EXIT_DONE)
    except Exception as error:
        if not is_misuse(error):
            raise
        if is_bare(error):
            sys.exit(EXIT_USAGE)
        output = file_of(sys.stdout.fileno())
        _end(UsageError(sentence_of(error, words, output)), as_json=as_json)


def _end(error: Exception, *, as_json: bool) -> NoReturn:
    complain(error, as_json=as_json)
    sys.exit(exit_code_of(error))
