"""The documents that are made from code: `python -m meshnode.cli.generated` (make docs) writes them, a test compares them."""

from __future__ import annotations

from pathlib import Path

import orjson

from catalog import SCHEMA_KINDS, schema_of

from ..config.document import sample_document
from ..config.page import settings_page
from ..config.unit import unit
from .pages import command_pages


def generated_files() -> dict[Path, str]:
    """Content by path, from the repository's root."""
    from .app import app

    pages = {Path("docs/commands") / name: text for name, text in command_pages(app).items()}
    schemas = {
        Path(f"docs/schema/{kind.name}.json"): orjson.dumps(
            schema_of(kind), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        ).decode()
        for kind in SCHEMA_KINDS
    }
    return {
        **pages,
        **schemas,
        Path("docs/settings.md"): settings_page(),
        Path("packaging/meshnode.toml"): sample_document(),
        Path("packaging/meshnode.service"): unit(),
    }


def write_all(root: Path) -> None:
    """Writes all of them, and removes pages of commands that are no more."""
    files = generated_files()
    for stale in set((root / "docs/commands").glob("*.md")) - {root / path for path in files}:
        stale.unlink()
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


if __name__ == "__main__":
    write_all(Path.cwd())
