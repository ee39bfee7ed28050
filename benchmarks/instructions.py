"""How many instructions of its own a program takes, by callgrind: the same each time, whatever else runs on the machine.

Of two numbers of calls the difference counts, so that what a program does once is left out. What the kernel does, and
what waiting for memory costs, is not seen.
"""

import re

from benchmarks.peers.subject import EXAMPLES, require
from tests.support import ProcessError, run

OPTIONS = ("--tool=callgrind", "--callgrind-out-file=/dev/null")


async def a_call(program: str, arguments: tuple[str, ...], calls: tuple[int, int]) -> float:
    """Instructions a call of an example; it takes the number of calls as its last argument."""
    fewer, more = [await _instructions(program, (*arguments, str(number))) for number in calls]
    return (more - fewer) / (calls[1] - calls[0])


async def _instructions(program: str, arguments: tuple[str, ...]) -> int:
    found = require(EXAMPLES / program, "run make bench")
    finished = await run("valgrind", *OPTIONS, found, *arguments)
    collected = re.search(r"Collected : (\d+)", finished.stderr)
    if collected is None:
        raise ProcessError(f"callgrind counted nothing:\n{finished.stderr}")
    return int(collected[1])
