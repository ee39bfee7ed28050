"""The rooms' roots: every name is there, and each file is the one the type checker is told of."""

import ast
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("catalog", "certs", "observability")


@pytest.mark.parametrize("room", ROOMS)
def test_every_name_of_a_root_is_there(room: str) -> None:
    root = import_module(room)
    for name in root.__all__:
        assert getattr(root, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = root.nonsense


@pytest.mark.parametrize("room", ROOMS)
def test_each_name_is_loaded_from_the_file_the_type_checker_is_told_of(room: str) -> None:
    body = ast.parse((ROOT / room / "__init__.py").read_text()).body
    told = {
        alias.name: statement.module
        for block in body
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for statement in block.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    files = vars(import_module(room)).get("_FILES", {})
    assert told == files
    for name in files:
        assert not (ROOT / room / f"{name}.py").exists(), "a file of this name would hide it"
