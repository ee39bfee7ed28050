#!/usr/bin/env python3
"""Builds the real programs the tests run against into a cache folder and prints their paths.

`build.py consul jaeger` builds what is missing and prints one path a line; `build.py --path consul` only looks and
fails if it is not there. A folder beside this file with a go.mod is a Go tool, CARGO_TOOLS come from cargo.
The cache outlives a clone, its folders are keyed by what decides the binary, and a lock lets two callers wait for one
build. Needs nothing but Python's own library, and must not: the Makefile calls it before a virtual environment exists.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CARGO_TOOLS = {"cargo-fuzz": "0.13.1"}
# Two compilers at once and a low priority: a build of four minutes must not starve what else the machine does.
GO_BUILD_JOBS = "2"
NICENESS = 10


class ToolError(Exception):
    """A tool is unknown, missing, or could not be built; the text is the one sentence for a person."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("tools", nargs="*", metavar="TOOL", help=f"one of {', '.join(names())}")
    parser.add_argument(
        "--path",
        action="store_true",
        help="build nothing: print the path, or fail if it is missing",
    )
    arguments = parser.parse_args()
    try:
        for tool in arguments.tools or go_tools():
            print(find(tool) if arguments.path else ensure(tool), flush=True)
    except ToolError as error:
        print(f"tests/tools: {error}", file=sys.stderr)
        return 1
    return 0


def names() -> list[str]:
    """Every tool this file can build."""
    return sorted([*go_tools(), *CARGO_TOOLS])


def go_tools() -> list[str]:
    """The tools that are Go modules: what the integration tests need."""
    return sorted(path.parent.name for path in HERE.glob("*/go.mod"))


def binary_path(tool: str) -> Path:
    """Where the tool's binary lies or will lie; keyed so that a changed version is another folder."""
    if tool in CARGO_TOOLS:
        return cache_folder() / f"{tool}-{CARGO_TOOLS[tool]}" / "bin" / tool
    if tool not in go_tools():
        raise ToolError(f"there is no tool named {tool!r}; there are {', '.join(names())}")
    digest = hashlib.sha256()
    for part in ("go.mod", "go.sum"):
        digest.update((HERE / tool / part).read_bytes())
    return cache_folder() / f"{tool}-{digest.hexdigest()[:16]}" / tool


def cache_folder() -> Path:
    """MESHNODE_TOOLS, else the user's cache folder."""
    if named := os.environ.get("MESHNODE_TOOLS"):
        return Path(named).absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "meshnode-tools"


def find(tool: str) -> Path:
    """The path of a tool that was built before."""
    path = binary_path(tool)
    if not path.exists():
        raise ToolError(f"{tool} is not built yet: run `make tools`.")
    return path


def ensure(tool: str) -> Path:
    """Builds the tool unless it is in the cache; of two callers at once the second waits for the first."""
    path = binary_path(tool)
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with (cache_folder() / f"{tool}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            print(
                f"tests/tools: building {tool}, once for this version (minutes)",
                file=sys.stderr,
                flush=True,
            )
            build_with_cargo(tool, path) if tool in CARGO_TOOLS else build_with_go(tool, path)
    return path


def build_with_go(tool: str, path: Path) -> None:
    """Builds the module's one `tool` line. The committed go.sum verifies every byte; nothing is resolved anew."""
    package = tool_package(HERE / tool / "go.mod")
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        made = Path(scratch) / tool
        command = [
            "go",
            "build",
            "-p",
            GO_BUILD_JOBS,
            "-mod=readonly",
            "-trimpath",
            "-buildvcs=false",
        ]
        run([*command, "-ldflags=-s -w", "-o", str(made), package], cwd=HERE / tool, program="Go")
        made.rename(path)


def tool_package(go_mod: Path) -> str:
    for line in go_mod.read_text().splitlines():
        if line.startswith("tool "):
            return line.removeprefix("tool ").strip()
    raise ToolError(f"{go_mod} has no `tool` line that names the program to build")


def build_with_cargo(tool: str, path: Path) -> None:
    """Builds a released cargo tool with the versions its author locked; moves it into place when it is whole."""
    with tempfile.TemporaryDirectory(dir=cache_folder()) as scratch:
        command = [
            "cargo",
            "install",
            tool,
            "--version",
            CARGO_TOOLS[tool],
            "--locked",
            "--root",
            scratch,
            "--quiet",
        ]
        run(command, cwd=HERE, program="Rust")
        path.parent.mkdir(parents=True, exist_ok=True)
        (Path(scratch) / "bin" / tool).rename(path)


def run(command: list[str], *, cwd: Path, program: str) -> None:
    """Runs a compiler with its output on ours, at low priority."""
    if shutil.which(command[0]) is None:
        raise ToolError(
            f"{program} is missing: `{command[0]}` is not on the PATH, install it and run `make tools`."
        )
    finished = subprocess.run(
        ["nice", "-n", str(NICENESS), *command], cwd=cwd, stdout=sys.stderr, check=False
    )
    if finished.returncode != 0:
        raise ToolError(
            f"`{' '.join(command)}` failed with code {finished.returncode}; its output is above."
        )


if __name__ == "__main__":
    sys.exit(main())
