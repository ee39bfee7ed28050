"""A fake proxy for the agent's tests: a real program on a real socket."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from meshnode.proxy import Command
from tests.support import kill_descendants

FAKE = Path(__file__).with_name("fake_proxy.py")
MakeCommand = Callable[..., Command]


@pytest.fixture
def make_command(tmp_path: Path) -> Iterator[MakeCommand]:
    """`make_command(FAKE_DIES="1")` is a Command that starts the fake with that environment; ended with the test."""

    def make(**environment: str) -> Command:
        binary = tmp_path / "meshnode-proxy"
        binary.write_text(
            f"#!{sys.executable}\n"
            f"import os, runpy\nos.environ.update({environment!r})\n"
            f"runpy.run_path({str(FAKE)!r}, run_name='__main__')\n"
        )
        binary.chmod(0o755)
        return Command(binary, tmp_path / "p.sock", tmp_path / "proxy.log")

    yield make
    kill_descendants(str(tmp_path))
