"""README and docs/ lead where they say, and the routes they show are routes. What they say is typed elsewhere (test_pages.py)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from catalog.language.line import parse_line

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")]
)
_LINK = re.compile(r"\]\((?!https?:)([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+ -> [^`\n]+)`")
_FILE = re.compile(
    r"`([a-z_]+/(?:[\w.-]+/)*(?:[\w.-]+\.(?:py|rs|md|txt|toml|yml|yaml|sh|service))?)`"
)
# What else has a slash is a key in Consul, or a path of a request.
ROOMS = (
    "benchmarks",
    "catalog",
    "certs",
    "dataplane",
    "docs",
    "meshnode",
    "observability",
    "packaging",
    "tests",
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in _LINK.findall(page.read_text()):
        path, _, heading = link.partition("#")
        target = (page.parent / path) if path else page
        assert target.exists(), link
        if heading:
            assert heading in {anchor(line) for line in target.read_text().splitlines()}, link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_is_named_is_there(page: Path) -> None:
    for path in _FILE.findall(page.read_text()):
        if path.partition("/")[0] in ROOMS:
            assert (ROOT / path).exists(), path


def test_every_page_stands_in_the_index() -> None:
    index = (ROOT / "docs/README.md").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        if page.name != "README.md":
            assert f"({page.name})" in index, f"docs/README.md does not lead to {page.name}"


def anchor(line: str) -> str:
    """What a heading is called in a link; nothing for other lines."""
    if not line.startswith("#"):
        return ""
    return re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").lower()).replace(" ", "-")


def test_every_route_that_is_shown_is_one() -> None:
    """Those of docs/routes.md are read by catalog/language/test_docs.py."""
    # In a table, a bar has a backslash before it.
    text = (ROOT / "README.md").read_text().replace("\\|", "|")
    shown = _CODE.findall(text)
    assert shown
    for route in shown:
        # A command quotes its route.
        parse_line(route.partition("'")[2].rstrip("'") if "'" in route else route)
