"""What every scenario is given: folders, the number of rounds, and a word to whoever watches. Measures nothing itself."""

import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.certificates import Certificates
from benchmarks.figures import BEFORE, OURS, Figure
from benchmarks.peers.subject import Site, Subject

Setup = Callable[[Site], Subject]


@dataclass(frozen=True, slots=True)
class Bench:
    """One run."""

    folder: Path
    certificates: Certificates
    rounds: int
    seconds: int
    """Of load in each round for each subject."""
    proxy: Path
    """The meshnode-proxy under test."""
    before: Path | None = None
    """Another build of it, measured beside it as `before`."""

    def subjects(self, setups: Mapping[str, Setup]) -> dict[str, Setup]:
        """The programs of a scenario in the order of a round."""
        return {**setups, BEFORE: setups[OURS]} if self.before else dict(setups)

    def site(self, scenario: str, subject: str, origin: str) -> Site:
        folder = self.folder / f"{scenario}-{subject.replace(' ', '-')}"
        folder.mkdir()
        # Workers that gave up root read their files here.
        folder.chmod(0o755)
        proxy = self.before if self.before and subject == BEFORE else self.proxy
        return Site(folder, origin, self.certificates, proxy)

    async def start(
        self, stack: AsyncExitStack, scenario: str, setups: Mapping[str, Setup], origin: str
    ) -> dict[str, Subject]:
        """All subjects of a scenario, running until the stack ends."""
        return {
            name: await stack.enter_async_context(setup(self.site(scenario, name, origin)))
            for name, setup in self.subjects(setups).items()
        }

    def tell(self, line: str) -> None:
        """Progress, to standard error: the table alone goes to standard output."""
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


@dataclass(frozen=True, slots=True)
class Scenario:
    """One file of `scenarios/`."""

    name: str
    about: str
    """What is measured, in a sentence, for the heading of its rows."""
    run: Callable[[Bench], Awaitable[list[Figure]]]
