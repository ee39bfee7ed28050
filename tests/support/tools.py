"""Where the programs lie: the tools, by asking tests/tools/build.py, which alone knows; and ours, in the environment."""

import subprocess
import sys
from functools import cache
from pathlib import Path

BUILD = Path(__file__).resolve().parent.parent / "tools" / "build.py"


@cache
def tool_path(tool: str) -> Path:
    """The path of a built tool. A missing one fails the test with the sentence that says what to run."""
    asked = subprocess.run(
        [sys.executable, str(BUILD), "--path", tool], capture_output=True, text=True, check=False
    )
    if asked.returncode != 0:
        raise RuntimeError(asked.stderr.strip())
    return Path(asked.stdout.strip())


def program_path(name: str) -> Path:
    """`meshnode` or `meshnode-proxy` of the environment the tests run in."""
    path = Path(sys.executable).parent / name
    if not path.exists():
        raise RuntimeError(f"{name} is not built yet: run `make build`.")
    return path
