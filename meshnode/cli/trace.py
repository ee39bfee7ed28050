"""`meshnode trace`: one request as a tree, from Jaeger. (Filled in by observability's JaegerQuery.)"""

from __future__ import annotations

import typer


def add_to(app: typer.Typer) -> None:
    _ = app
