"""The table of commands says of each what it says itself, and a quick command loads only what it needs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from meshnode.cli.commands import COMMANDS, Line

# Each takes 30 to 200 ms of CPU to load.
HEAVY = frozenset(
    {"aiohttp", "asyncio", "consul", "cryptography", "grpc", "opentelemetry", "pydantic", "requests", "ruamel", "ssl"}
)  # fmt: skip

SHOW_LOADED = """
import json, sys
from meshnode.cli import main
sys.argv = ["meshnode", *sys.argv[1:]]
try:
    main()
except SystemExit:
    pass
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})), file=sys.stderr)
"""


def loaded_by(*words: str) -> set[str]:
    """The top-level packages that are there at the end of `meshnode …`."""
    command = [sys.executable, "-c", SHOW_LOADED, *words]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return set(json.loads(ended.stderr.splitlines()[-1]))


@pytest.mark.parametrize("line", COMMANDS, ids=lambda line: line.name)
def test_the_table_says_what_the_command_says(line: Line) -> None:
    command = line.load()
    assert command.name == line.name
    assert command.help.splitlines()[0] == line.sentence


def test_the_version_loads_nothing() -> None:
    for word in ("version", "--version"):
        assert not loaded_by(word) & {*HEAVY, "typer", "rich", "orjson", "catalog", "observability"}


def test_help_loads_no_library_of_any_command() -> None:
    assert not loaded_by("--help") & {*HEAVY, "orjson"}


def test_a_command_that_asks_consul_loads_no_compiler() -> None:
    """It fails, since nothing listens there, but after all was loaded that it needs."""
    for words in (["kv", "put", "mesh/routes/x", "x.test/ -> x"], ["status"]):
        loaded = loaded_by(*words, "--consul", "127.0.0.1:1")
        assert "consul" in loaded
        assert not loaded & {"aiohttp", "ruamel", "opentelemetry", "grpc"}
