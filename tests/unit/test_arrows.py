"""The arrows between the rooms, read from their imports: meshnode knows the others, and nobody else knows anybody."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# A new arrow is a change of design: a commit of its own with the reason, and this line.
ARROWS: dict[str, frozenset[str]] = {
    "catalog": frozenset(),
    "certs": frozenset(),
    "observability": frozenset(),
    "meshnode": frozenset({"catalog", "certs", "observability"}),
}
ROOMS = frozenset(ARROWS)
# Rooms in a room: they have a root of their own, since whoever takes the room itself must not load them.
INNER_ROOTS = frozenset({"catalog.embedded"})


def broken_arrows(room: str, source: str, root: Path = ROOT) -> Iterator[str]:
    """What is wrong with a file's imports, a sentence each. `room` is the package the file lies in."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _broken(room, alias.name, (), node.lineno, root)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
            names = tuple(alias.name for alias in node.names)
            yield from _broken(room, node.module, names, node.lineno, root)


def _broken(room: str, module: str, names: tuple[str, ...], line: int, root: Path) -> Iterator[str]:
    other, _, inner = module.partition(".")
    if other == "tests":
        yield f"line {line}: {room} imports the tests"
    if other not in ROOMS:
        return
    if other == room:
        yield f"line {line}: {module} is this very room: import it relatively"
        return
    if other not in ARROWS[room]:
        yield f"line {line}: there is no arrow from {room} to {other}"
        return
    if inner and module not in INNER_ROOTS:
        yield f"line {line}: {module} is a file of {other}: take the name from {other} itself"
    package = root.joinpath(*module.split(".")) if module in INNER_ROOTS else root / other
    for name in names:
        if name not in _exported(package) and _is_file(package / name):
            yield f"line {line}: {module}.{name} is a file of {module}: take the name from {module} itself"


def _exported(package: Path) -> frozenset[str]:
    """The names a room's root imports or defines, so that a name that also is a file may be taken."""
    names: set[str] = set()
    for node in ast.parse((package / "__init__.py").read_text()).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
    return frozenset(names)


def _is_file(path: Path) -> bool:
    return path.is_dir() or path.with_suffix(".py").exists()


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_rooms_import_only_along_the_arrows(room: str) -> None:
    files = sorted((ROOT / room).rglob("*.py"))
    assert files, f"{room} has no files: the check would say nothing"
    broken = [
        f"{path.relative_to(ROOT)} {sentence}"
        for path in files
        for sentence in broken_arrows(room, path.read_text())
    ]
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("meshnode", "from catalog import Snapshot"),
        ("meshnode", "import observability"),
        ("meshnode", "from .agent import run\nfrom . import proxy"),
        ("catalog", "from .values import Route\nimport asyncio, aiohttp"),
        ("catalog", "import catalogue"),
        ("meshnode", "from catalog.embedded import Registry"),
    ],
)
def test_an_import_along_an_arrow_is_taken(room: str, source: str) -> None:
    assert list(broken_arrows(room, source)) == []


@pytest.mark.parametrize(
    ("room", "source", "sentence"),
    [
        ("catalog", "import certs", "no arrow from catalog to certs"),
        ("catalog", "from meshnode import agent", "no arrow from catalog to meshnode"),
        (
            "observability",
            "def f():\n    import catalog.client",
            "no arrow from observability to catalog",
        ),
        (
            "certs",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from catalog import Kv",
            "no arrow",
        ),
        ("meshnode", "from catalog.client import Client", "take the name from catalog itself"),
        ("meshnode", "import catalog.client as client", "take the name from catalog itself"),
        (
            "meshnode",
            "from catalog.embedded.store import Store",
            "take the name from catalog itself",
        ),
        (
            "meshnode",
            "from catalog.embedded import store",
            "take the name from catalog.embedded itself",
        ),
        ("meshnode", "from meshnode.agent import run", "import it relatively"),
        ("certs", "import certs.store", "import it relatively"),
        ("catalog", "from tests.support import free_port", "imports the tests"),
    ],
)
def test_an_import_against_the_arrows_is_found(room: str, source: str, sentence: str) -> None:
    (found,) = broken_arrows(room, source)
    assert sentence in found


def test_a_file_of_a_room_is_no_name_of_it(tmp_path: Path) -> None:
    (tmp_path / "catalog").mkdir()
    (tmp_path / "catalog" / "client.py").touch()
    (tmp_path / "catalog" / "compile.py").touch()
    (tmp_path / "catalog" / "__init__.py").write_text("from .compile import compile\n")
    (found,) = broken_arrows("meshnode", "from catalog import client", tmp_path)
    assert "catalog.client is a file of catalog" in found
    assert list(broken_arrows("meshnode", "from catalog import compile", tmp_path)) == []
