"""docs/limits.md names every limit that mesh/settings takes, with what holds as shipped and a test that is there."""

import json
import re
from pathlib import Path

from catalog.policies.settings import LIMITS_SHAPE, read_settings
from catalog.yamltree import compose

ROOT = Path(__file__).parents[3]
# Said in words: 0 in the boundary.
IN_WORDS = {"none", "half of them"}


def rows() -> dict[str, tuple[str, str]]:
    """By limit, what holds as shipped and which test holds it."""
    lines = (ROOT / "docs" / "limits.md").read_text().splitlines()
    cells = ([cell.strip() for cell in line.split("|")] for line in lines if line.startswith("| `"))
    return {name.strip("`"): (shipped, held) for _, name, shipped, *_, held, _ in cells}


def defaults() -> dict[str, int]:
    """Those of the boundary, by the proxy's names."""
    found = re.search(r'"limits":(\{[^}]+\})', (ROOT / "docs" / "boundary.md").read_text())
    assert found is not None
    defaults: dict[str, int] = json.loads(found[1])
    return defaults


def test_every_limit_is_named_and_no_other() -> None:
    assert list(rows()) == list(LIMITS_SHAPE.fields)


def test_what_holds_as_shipped_is_what_the_boundary_says() -> None:
    told = defaults()
    for name, (shipped, _) in rows().items():
        if shipped in IN_WORDS:
            assert told.pop(name) == 0, name
            continue
        ((own, value),) = read_settings(compose(f"limits: {{{name}: {shipped}}}")).limits.items()
        assert told.pop(own) == value, name
    # That of a whole request is a route's `timeout`.
    assert told == {"request_timeout_ms": 0}


def test_each_is_held_by_a_test() -> None:
    """The name of a function, wherever it stands, or of a flood."""
    tests = [*ROOT.glob("dataplane/engine/**/*.rs"), *ROOT.glob("tests/integration/test_floods.py")]
    known = set(re.findall(r"^ *(?:async )?(?:fn|def) (\w+)\(", _texts(tests), re.MULTILINE))
    flooding = (ROOT / "tests" / "integration" / "test_floods.py").read_text()
    for name, (_, held) in rows().items():
        flood = held.removeprefix("floods: ")
        assert held in known if flood == held else f'"{flood}"' in flooding, name


def _texts(paths: list[Path]) -> str:
    return "\n".join(path.read_text() for path in paths)
