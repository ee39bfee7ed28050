"""What another terminal has to type before it finds `meshnode`. Pure but for looking whether a file is there."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path


def activate(prefix: Path, environment: Mapping[str, str], folder: Path) -> str:
    """`. .venv/bin/activate` where the command lies in an environment (`prefix`) that is not on the PATH; else empty."""
    found = shutil.which("meshnode", path=environment.get("PATH", ""))
    is_active = bool(environment.get("VIRTUAL_ENV"))
    if found is not None and not is_active and Path(found).parent == prefix / "bin":
        return ""
    fish = Path(environment.get("SHELL", "")).name == "fish"
    script = prefix / "bin" / ("activate.fish" if fish else "activate")
    if not script.exists():
        return ""
    near = script.relative_to(folder) if script.is_relative_to(folder) else script
    return f". {shlex.quote(os.fspath(near))}"
