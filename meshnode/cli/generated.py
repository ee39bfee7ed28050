"""The documents that are made from code: `python -m meshnode.cli.generated` (make docs) writes them, a test compares them."""

from __future__ import annotations

from pathlib import Path

from ..config.document import settings_document
from ..config.page import settings_page
from .pages import command_pages

HEAD = """Every setting of a node with its default. Copy to /etc/meshnode/meshnode.toml and take the # from those you change;
`meshnode config check` then finds every mistake. `meshnode join` writes such a file by itself. Made by `make docs`."""


def generated_files() -> dict[Path, str]:
    """Content by path, from the repository's root."""
    from .app import app

    pages = {Path("docs/commands") / name: text for name, text in command_pages(app).items()}
    return {
        **pages,
        Path("docs/settings.md"): settings_page(),
        Path("packaging/meshnode.toml"): settings_document({}, head=HEAD),
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
