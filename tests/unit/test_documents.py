"""README and docs/ lead where they say, and the routes they show are routes. What they say is typed elsewhere (test_pages.py)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from catalog import KvEntry
from catalog.language.line import parse_line
from catalog.policies.read import Written, read_entry

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")]
)
_LINK = re.compile(r"\]\((?!https?:)([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+ -> [^`\n]+)`")
_FENCE = re.compile(r"(?ms)^```.*?^```$")
_KIND = re.compile(r"`mesh/(services|upstreams|drain)/")
_DOCUMENT = re.compile(r"`((?:port: |\{instance)[^`]+)`")
ROUTES_AT_LEAST = 10
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
    """Those in fences are typed or read elsewhere: test_pages.py, test_shown_routes.py."""
    shown = [route for page in PAGES for route in routes_within(page)]
    assert len(shown) > ROUTES_AT_LEAST
    for route in shown:
        parse_line(route)


def test_every_policy_that_is_shown_is_one() -> None:
    """The documents within the lines of docs/policies.md, each under the heading of its kind."""
    kind = ""
    read = 0
    for line in (ROOT / "docs/policies.md").read_text().splitlines():
        if line.startswith("## "):
            found = _KIND.search(line)
            kind = found[1] if found else ""
        for document in _DOCUMENT.findall(line) if kind else ():
            prefix = f"mesh/{kind}/"
            entry = KvEntry(f"{prefix}x", document.encode(), 7)
            assert isinstance(read_entry(prefix, entry), Written), document
            read += 1
    assert read > 1


def routes_within(page: Path) -> list[str]:
    """In a table, a bar has a backslash before it; a command quotes its route."""
    text = _FENCE.sub("", page.read_text()).replace("\\|", "|")
    return [
        code.partition("'")[2].rpartition("'")[0] if "'" in code else code
        for code in _CODE.findall(text)
    ]
