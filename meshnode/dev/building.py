"""Builds what `make demo` runs and shows it as one line: what, and for how long. `building.py MAKE`, in the clone.

It runs before .venv exists, by the machine's own Python: the standard library alone, and nothing of ours.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

# A turning number says that something goes on; faster only flickers.
PAINT_S = 0.5
# A build that had nothing to do is not worth a line.
WORTH_TELLING_S = 3.0
# What is shown of a build that failed.
LAST_LINES = 25
EXIT_INTERRUPTED = 130
# A build nobody waits for would hold the processors, and cargo's lock against the next one.
DIES_WITH_US = ("setpriv", "--pdeathsig", "TERM", "--")


@dataclass(frozen=True, slots=True)
class Step:
    """One program, run in `folder` of the clone."""

    what: str
    words: Sequence[str]
    folder: str = "."


@dataclass(slots=True)
class Output:
    """What a step wrote: its end, and what it is at."""

    last: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))
    crates: int = 0
    at: str = ""

    def take(self, line: str) -> None:
        self.last.append(line)
        words = line.split()
        # `   Compiling rustls v0.23.31`: cargo's way of telling.
        if words[:1] == ["Compiling"] and len(words) > 1:
            self.crates += 1
            self.at = f"crate {self.crates}, {words[1]}"


def steps(make: str) -> tuple[Step, ...]:
    """The proxy first: it takes longest, and pip finds it built then."""
    cargo = ["cargo", "build", "--release", "--locked"]
    return (
        Step("the proxy", cargo, "dataplane"),
        Step("the Python packages", [make, "build"]),
    )


def build(root: Path, todo: Sequence[Step], out: TextIO) -> int:
    """Runs each step; the exit code of the first that fails."""
    began = time.monotonic()
    for step in todo:
        output = Output()
        code = _run(root, step, output, out)
        if code != 0:
            _erase(out)
            out.write("".join(f"{line}\n" for line in output.last))
            out.write(f"{step.what} could not be built: the lines above say why\n")
            return code
    took_s = time.monotonic() - began
    _erase(out)
    if took_s > WORTH_TELLING_S:
        out.write(f"  built in {span(took_s)}\n")
    out.flush()
    return 0


def _run(root: Path, step: Step, output: Output, out: TextIO) -> int:
    began = time.monotonic()
    with subprocess.Popen(
        [*DIES_WITH_US, *step.words],
        cwd=root / step.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        reader = threading.Thread(target=_read, args=(process.stdout, output), daemon=True)
        reader.start()
        is_told = False
        while process.poll() is None:
            took_s = time.monotonic() - began
            if out.isatty():
                _paint(out, f"  building {step.what}   {output.at}", span(took_s))
            elif not is_told and took_s > WORTH_TELLING_S:
                is_told = True
                out.write(f"  building {step.what} (minutes the first time)\n")
                out.flush()
            try:
                process.wait(PAINT_S)
            except subprocess.TimeoutExpired:
                continue
            except KeyboardInterrupt:
                # Ctrl-C went to all of the terminal, a kill to us alone.
                process.terminate()
                raise
        reader.join()
    return process.returncode


def _read(stream: TextIO, output: Output) -> None:
    for line in stream:
        output.take(line.rstrip())


def _paint(out: TextIO, text: str, end: str) -> None:
    """One line, written over itself; cut, because a line that wraps can not be."""
    width = shutil.get_terminal_size().columns - 1
    out.write(f"\r{text[: width - len(end) - 2]}  {end}\033[K")
    out.flush()


def _erase(out: TextIO) -> None:
    if out.isatty():
        out.write("\r\033[K")


def span(seconds: float) -> str:
    """`42 s`, `1 min 5 s`."""
    minutes, left = divmod(int(seconds), 60)
    return f"{minutes} min {left} s" if minutes else f"{left} s"


def main() -> None:
    root = Path(__file__).resolve().parents[2]
    make = sys.argv[1] if len(sys.argv) > 1 else "make"
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(build(root, steps(make), sys.stderr))
    except KeyboardInterrupt:
        _erase(sys.stderr)
        sys.exit(EXIT_INTERRUPTED)


if __name__ == "__main__":
    main()
