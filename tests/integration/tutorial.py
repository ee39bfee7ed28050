"""Types docs/tutorial.md from its first line to its last beside three real Consul agents and three real nodes, and shows it.

`make tutorial` starts it in a network of its own, where every port is the page's; its arguments are the shells.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.integration.mainjob.told import say
from tests.support import ConsulCluster, no_leftovers
from tests.support.pages import read_page
from tests.support.typed import SHELLS, TypedDemo, prepare

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/tutorial.md"


async def tutorial(folder: Path, shells: Sequence[str]) -> int:
    """How many lines the page has. Raises ProcessError at the first that does not say what the page has."""
    page = read_page(PAGE)
    async with ConsulCluster(folder / "consul") as cluster:
        agents = [word for one in cluster.agents for word in ("--consul", one.http_address)]
        demo = TypedDemo(folder, *agents, environment=cluster.environment(), is_apart=False)
        try:
            await demo.start()
            for shell in shells:
                home = folder / shell
                home.mkdir()
                prepare(page, home)
                say(f"\n== in {shell} ==")
                for step in page.steps:
                    said = await demo.says(shell, page, step, home)
                    say(f"$ {step.typed}\n{said.rstrip()}")
        finally:
            await demo.end()
    return len(page.steps)


def main() -> None:
    shells = sys.argv[1:] or list(SHELLS)
    started = time.monotonic()
    with no_leftovers(), tempfile.TemporaryDirectory(prefix="meshnode-tutorial-") as folder:
        lines = asyncio.run(tutorial(Path(folder), shells))
    took = time.monotonic() - started
    say(
        f"\nthe tutorial is done: each of {lines} lines says on real Consul what docs/tutorial.md has,"
        f" in {', '.join(shells)} ({took:.0f} s)"
    )


if __name__ == "__main__":
    main()
