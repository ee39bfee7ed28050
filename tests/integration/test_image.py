"""What the Dockerfile does, done here: from the files it is given to an environment that runs both programs."""

import os
import shutil
import sys
import sysconfig
from pathlib import Path
from zipfile import ZipFile

from tests.support.compose_file import read_dockerfile
from tests.support.process import run

ROOT = Path(__file__).resolve().parents[2]
BUILD_SECONDS = 900.0
PACKAGES = ("catalog", "certs", "meshnode", "observability")


async def test_the_image_has_both_programs_and_nothing_of_the_build(tmp_path: Path) -> None:
    """Builds the wheel from what .dockerignore lets through, and runs it in an environment of its own."""
    context = _context(tmp_path / "src")
    wheel = await _wheel(context, tmp_path / "wheels")
    with ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.partition("/")[0] for name in names if not name.startswith("meshnode-")} == set(PACKAGES)  # fmt: skip
    commands = await _installed(wheel, tmp_path / "environment")
    assert (await run(commands / "meshnode", "version")).stdout.startswith("meshnode ")
    assert "meshnode-proxy" in (await run(commands / "meshnode-proxy", "--version")).stdout


def test_the_image_runs_without_rights() -> None:
    image = read_dockerfile(ROOT / "Dockerfile")
    assert image.user == "meshnode"
    assert image.command[:2] == ("meshnode", "agent")
    assert image.environment["MESHNODE_STATE_FOLDER"] == "/var/lib/meshnode"


def _context(folder: Path) -> Path:
    """The repository as Docker would send it: what stands behind `!`, without what stands behind that."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*", "everything is left out but what is named"
    left_out = [rule for rule in rules[1:] if not rule.startswith("!")]

    def ignored(place: str, names: list[str]) -> set[str]:
        below = Path(place).relative_to(ROOT)
        return {name for name in names if name == "__pycache__" or str(below / name) in left_out}

    folder.mkdir()
    for rule in rules:
        if rule.startswith("!"):
            source = ROOT / rule[1:]
            if source.is_dir():
                shutil.copytree(source, folder / rule[1:], ignore=ignored)
            else:
                shutil.copy(source, folder)
    return folder


async def _wheel(context: Path, folder: Path) -> Path:
    """The project's wheel; what cargo built already is used."""
    environment = {**os.environ, "CARGO_TARGET_DIR": str(ROOT / "dataplane" / "target")}
    await run(
        sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps",
        "--wheel-dir", folder, context,
        env=environment, timeout=BUILD_SECONDS,
    )  # fmt: skip
    return _only(folder)


def _only(folder: Path) -> Path:
    (wheel,) = folder.iterdir()
    return wheel


async def _installed(wheel: Path, folder: Path) -> Path:
    """The wheel in a new environment; its dependencies are those of the one the tests run in."""
    await run(sys.executable, "-m", "venv", "--without-pip", folder)
    await run(
        sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "--quiet",
        "--disable-pip-version-check", "--no-deps", "--no-index", wheel, timeout=BUILD_SECONDS,
    )  # fmt: skip
    _lend_dependencies(folder)
    return folder / "bin"


def _lend_dependencies(environment: Path) -> None:
    """A path only: of our editable install there, whose own .pth leads to the source, nothing is seen."""
    packages = next((environment / "lib").glob("python*/site-packages"))
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
