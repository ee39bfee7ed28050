"""Where the built tools lie: asks tests/tools/build.py, which alone knows."""

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
