"""How commands speak: tables and lines for people, JSON for programs, one sentence for errors."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape

from catalog import CatalogError, ConsulUnreachable
from observability import JaegerError, OtlpSettingError, TraceIdError

from ..errors import EXIT_NOT_REACHED, EXIT_REFUSED, EXIT_USAGE, MeshnodeError

# A terminal says how wide it is; a pipe does not, and lines must not be broken for it.
PIPE_WIDTH = 1000

# What nobody listening is called.
REFUSED = os.strerror(errno.ECONNREFUSED).lower()
NO_CONSUL = "  no Consul here? `meshnode dev` shows a mesh without one; `meshnode registry` takes its place on one machine"


def console(*, is_error: bool = False) -> Console:
    """Standard output, or standard error; coloured on a terminal only."""
    stream = sys.stderr if is_error else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
    return Console(file=stream, width=width, highlight=False, soft_wrap=True, emoji=False)


def say(text: str) -> None:
    """A line for people; square brackets in it are just that."""
    console().print(escape(printable(text)))


def say_json(document: Any) -> None:
    """A document for programs, indented: people read it too."""
    import orjson

    sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    sys.stdout.buffer.flush()


def printable(text: str) -> str:
    """What others wrote (keys, values, names) without the characters that steer a terminal."""
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text
    )


def escaped(text: str) -> str:
    """Text to stand inside a line with colours: printable, and its square brackets just that."""
    return escape(printable(text))


def exit_code_of(error: Exception) -> int:
    """3 for what was not reached, 2 for what cannot be meant, 1 for what was refused; ours say it themselves."""
    if isinstance(error, MeshnodeError):
        return error.exit_code
    if isinstance(error, OtlpSettingError | TraceIdError):
        return EXIT_USAGE
    is_away = isinstance(error, ConsulUnreachable | JaegerError)
    return EXIT_NOT_REACHED if is_away else EXIT_REFUSED


def complain(error: MeshnodeError | CatalogError | Exception, *, as_json: bool) -> None:
    """The sentence on standard error; with --json a document on standard output."""
    if as_json:
        say_json({"error": str(error), "exit_code": exit_code_of(error)})
    else:
        console(is_error=True).print(f"[red]meshnode:[/] {escape(printable(str(error)))}")
        if isinstance(error, ConsulUnreachable) and error.cause == REFUSED:
            console(is_error=True).print(NO_CONSUL)


def ago(seconds: float) -> str:
    """A span of time in its largest two units: `3 h 12 min`, `40 s`, `6 ms`."""
    if seconds < 1:
        return f"{max(0.0, seconds) * 1000:.0f} ms"
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    left, parts = int(seconds), []
    for name, size in units:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2])


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 node`, `3 nodes`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def say_table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], *, width: int | None = None
) -> None:
    """Columns under their names; plain text, so that it can be cut and searched.

    A terminal narrower than they cuts them; with a `width` of their own it breaks the lines instead.
    """
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 3, 0, 0))
    for head in heads:
        table.add_column(head, no_wrap=True)
    for row in rows:
        table.add_row(*(escape(printable(cell)) for cell in row))
    page = console()
    if width is not None:
        page.width = width
    page.print(table, soft_wrap=False)
