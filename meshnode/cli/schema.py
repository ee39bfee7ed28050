"""`meshnode schema`: the JSON Schema of each kind of document in KV, for editors and checks of one's own. Asks nobody."""

from __future__ import annotations

from typing import Annotated

import typer

from catalog import SCHEMA_KINDS, did_you_mean, nearest, schema_of

from ..errors import UsageError
from .options import Json
from .output import say_json, say_table

KINDS = {kind.name: kind for kind in SCHEMA_KINDS}
VALUES = ("a YAML or JSON document", "lines of text, no document")


def add_to(app: typer.Typer) -> None:
    app.command()(schema)


def schema(
    kind: Annotated[
        str | None,
        typer.Argument(help="The kind of document; left out: all there are.", metavar="[KIND]"),
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Print the JSON Schema of a kind of document, or say which kinds there are."""
    if kind is None:
        if as_json:
            say_json([{"kind": one.name, "keys": one.keys} for one in SCHEMA_KINDS])
        else:
            say_table(
                ("kind", "keys", "value"),
                [(one.name, one.keys, VALUES[one.load is None]) for one in SCHEMA_KINDS],
            )
        return
    if kind not in KINDS:
        known = ", ".join(KINDS)
        near = did_you_mean(nearest(kind, KINDS))
        raise UsageError(f'no kind of document is called "{kind}"{near or f": {known}"}')
    # The schema is JSON whether or not it is asked for as such.
    say_json(schema_of(KINDS[kind]))
