"""What comes along for an admin: the unit of systemd, which systemd itself reads and rates."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import run
from tests.support.mesh import COMMANDS

MESHNODE = COMMANDS / "meshnode"
# systemd's own word up to here is "OK"; a unit without any protection has 9.6.
EXPOSURE_TENTHS = 20


@pytest.fixture
async def unit(tmp_path: Path) -> Path:
    """As the command prints it here."""
    path = tmp_path / "meshnode.service"
    path.write_text((await run(MESHNODE, "config", "unit")).stdout)
    assert f"ExecStart={MESHNODE} agent\n" in path.read_text()
    return path


async def test_systemd_finds_nothing_wrong_with_the_unit(unit: Path) -> None:
    said = await run("systemd-analyze", "verify", "--recursive-errors=no", unit, check=False)
    assert (said.code, said.stdout, said.stderr) == (0, "", ""), said


async def test_systemd_calls_the_unit_well_protected(unit: Path) -> None:
    words = ("security", "--offline=true", f"--threshold={EXPOSURE_TENTHS}", "--no-pager")
    said = await run("systemd-analyze", *words, unit, check=False)
    assert said.code == 0, said.stdout.splitlines()[-1:]
