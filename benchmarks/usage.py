"""CPU time and memory of whole process trees, read from /proc. Starts nothing and knows no peer."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
KIB = 1024


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of a process tree."""

    proportional: int
    """PSS: what is shared between processes is counted in parts, so that forked workers are not counted twice."""
    resident: int
    """RSS, summed over the processes."""

    def __add__(self, other: "Memory") -> "Memory":
        return Memory(self.proportional + other.proportional, self.resident + other.resident)


def tree(roots: Iterable[int]) -> tuple[int, ...]:
    """The processes and all their descendants that live."""
    found: list[int] = []
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting.extend(_children(pid))
    return tuple(found)


def cpu_ns(pids: Iterable[int]) -> int:
    """Nanoseconds the processes' threads have run, the kernel's part for them included.

    From schedstat, which counts exactly; utime and stime are in ticks of 10 ms. A thread that has ended is not in it,
    so that no measured program may end threads while it is measured: none of the peers does.
    """
    return sum(_thread_ns(pid, thread) for pid in pids for thread in _threads(pid))


def memory(pids: Iterable[int]) -> Memory:
    """What the processes hold now."""
    return sum((_memory(pid) for pid in pids), Memory(0, 0))


def _children(pid: int) -> Iterator[int]:
    for thread in _threads(pid):
        text = _read(PROC / str(pid) / "task" / thread / "children")
        yield from (int(child) for child in text.split())


def _threads(pid: int) -> list[str]:
    try:
        return [task.name for task in (PROC / str(pid) / "task").iterdir()]
    except FileNotFoundError:
        return []


def _thread_ns(pid: int, thread: str) -> int:
    return parse_schedstat(_read(PROC / str(pid) / "task" / thread / "schedstat"))


def _memory(pid: int) -> Memory:
    return parse_smaps(_read(PROC / str(pid) / "smaps_rollup"))


def parse_schedstat(text: str) -> int:
    """The first field: nanoseconds on a CPU. 0 for a thread that is gone."""
    return int(text.split(maxsplit=1)[0]) if text else 0


def parse_smaps(text: str) -> Memory:
    """Of /proc/<pid>/smaps_rollup, whose unit is KiB. Nothing for a process that is gone."""
    lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)

    def held(name: str) -> int:
        return int(lines[name].split()[0]) * KIB if name in lines else 0

    return Memory(proportional=held("Pss"), resident=held("Rss"))


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
