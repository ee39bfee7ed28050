"""What comes along for an admin: the unit of systemd, which systemd itself reads and rates."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import run
from tests.support.mesh import COMMANDS

UNIT = Path(__file__).parents[2] / "packaging/meshnode.service"
# systemd's own word up to here is "OK"; a unit without any protection has 9.6.
EXPOSURE_TENTHS = 20


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit as it is, but that the program lies where it is installed here."""
    text = UNIT.read_text()
    assert "ExecStart=/usr/local/bin/meshnode agent\n" in text
    path = tmp_path / "meshnode.service"
    path.write_text(text.replace("/usr/local/bin/meshnode", str(COMMANDS / "meshnode")))
    return path


async def test_systemd_finds_nothing_wrong_with_the_unit(unit: Path) -> None:
    said = await run("systemd-analyze", "verify", "--recursive-errors=no", unit, check=False)
    assert (said.code, said.stdout, said.stderr) == (0, "", ""), said


async def test_systemd_calls_the_unit_well_protected(unit: Path) -> None:
    words = ("security", "--offline=true", f"--threshold={EXPOSURE_TENTHS}", "--no-pager")
    said = await run("systemd-analyze", *words, unit, check=False)
    assert said.code == 0, said.stdout.splitlines()[-1:]
