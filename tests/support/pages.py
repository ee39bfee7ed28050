"""The examples of a Markdown page as a person types them: each ``` console block is lines to type and what they say.

A line that begins with `$ ` is typed; what follows is what it says, where `…` stands for anything, and indexes, times,
dates and ids for any other. A fence with a file's name (``` hcl cart.hcl) is that file. Reads pages alone, runs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_FENCE = re.compile(r"^```(?P<kind>\w*)(?: (?P<file>\S+))?$")
CONSOLE = "console"
PROMPT = "$ "
ANYTHING = "…"
# What differs from one time to the next: the index of a change, how long something took, when it was, its id.
_CHANGING = re.compile(
    r"(?P<index>(?<=index )\d+|(?<=@ )\d+|(?<=generation )\d+)"
    r"|(?P<clock>\b\d\d:\d\d:\d\d\b)|(?P<date>\b\d{4}-\d\d-\d\d\b)"
    r"|(?P<span>\b\d[\d.,]* (?:ms|µs|s|min|h|d)\b)"
    r"|(?P<id>\b[0-9a-f]{32}\b|\b[0-9a-f]{8}\b)"
    r"|(?P<any>…)"
)
_PATTERNS = {
    "index": r"\d+",
    "clock": r"\d\d:\d\d:\d\d",
    "date": r"\d{4}-\d\d-\d\d",
    "span": r"<?\d[\d.,]* (?:ms|µs|s|min|h|d)",
    "id": r"[0-9a-f]{8,32}",
    "any": r".*?",
}


@dataclass(slots=True)
class Step:
    """One line to type, and the lines it says; `number` is its line of the page."""

    number: int
    typed: str
    says: list[str] = field(default_factory=list)

    def is_said_by(self, output: str) -> bool:
        """Whether the output has these lines and no others, but where a line is `…` alone."""
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        return _has(lines, [line.strip() for line in self.says if line.strip()])


@dataclass(frozen=True, slots=True)
class Page:
    """What is in one page. `others` are the lines of fences that are neither console nor a file."""

    path: Path
    steps: tuple[Step, ...]
    files: dict[str, str]
    others: tuple[str, ...]


def read_page(path: Path) -> Page:
    steps: list[Step] = []
    files: dict[str, str] = {}
    others: list[str] = []
    for kind, file, lines in _fences(path.read_text()):
        if kind == CONSOLE:
            steps.extend(_steps(lines))
        elif file:
            files[file] = "".join(f"{line}\n" for _, line in lines)
        else:
            others.extend(line.strip() for _, line in lines if line.strip())
    return Page(path, tuple(steps), files, tuple(others))


def _fences(text: str) -> Iterator[tuple[str, str, list[tuple[int, str]]]]:
    """Kind, file and numbered lines of each fence."""
    opened: tuple[str, str] | None = None
    inside: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        found = _FENCE.match(line)
        if opened is None and found:
            opened, inside = (found["kind"], found["file"] or ""), []
        elif opened is not None and line == "```":
            yield (*opened, inside)
            opened = None
        else:
            inside.append((number, line))
    if opened is not None:
        raise ValueError(f"a fence that is never closed: {opened}")


def _steps(lines: list[tuple[int, str]]) -> Iterator[Step]:
    step: Step | None = None
    for number, line in lines:
        if line.startswith(PROMPT):
            if step is not None:
                yield step
            step = Step(number, line.removeprefix(PROMPT))
        elif step is not None:
            step.says.append(line)
    if step is not None:
        yield step


def _has(lines: list[str], wanted: list[str]) -> bool:
    if not wanted:
        return not lines
    if wanted[0] == ANYTHING:
        return any(_has(lines[skipped:], wanted[1:]) for skipped in range(len(lines) + 1))
    return bool(lines) and _is_like(lines[0], wanted[0]) and _has(lines[1:], wanted[1:])


def _is_like(line: str, wanted: str) -> bool:
    pattern, at = "", 0
    for found in _CHANGING.finditer(wanted):
        pattern += _exact(wanted[at : found.start()]) + _PATTERNS[str(found.lastgroup)]
        at = found.end()
    return re.fullmatch(pattern + _exact(wanted[at:]), line) is not None


def _exact(text: str) -> str:
    """White space lines columns up: how much of it there is says nothing."""
    return r"\s+".join(re.escape(part) for part in re.split(r"\s+", text))
