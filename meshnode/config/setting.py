"""One line of the settings table: what a setting is called everywhere, what it takes and what it means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .kinds import Kind

METADATA = "meshnode.setting"
ENVIRONMENT_PREFIX = "MESHNODE_"


@dataclass(frozen=True, slots=True)
class Setting:
    """`name` is the dotted name of the file; `field` the attribute of Settings.

    `default` is written as a person would write it. `flag` None: not to be given on a command line, where other
    users of the machine read it. `environment` holds further variables it is read from, after our own.
    """

    name: str
    field: str
    kind: Kind
    default: str
    sentence: str
    flag: str | None
    short_flag: str | None = None
    environment: tuple[str, ...] = ()
    is_secret: bool = False

    @property
    def section(self) -> str:
        """What comes before the dot; empty for the few that stand at the top of the file."""
        return self.name.rpartition(".")[0]

    @property
    def variables(self) -> tuple[str, ...]:
        """Environment variables, the first that is set wins."""
        own = ENVIRONMENT_PREFIX + self.name.replace(".", "_").upper()
        return (own, *self.environment)

    def parse(self, value: Any) -> Any:
        """The value as the node uses it. Raises ValueError with what it should be, in words."""
        return self.kind.parse(value)
