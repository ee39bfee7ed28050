"""The unit of systemd that comes along: its text, with the program where it lies on this machine."""

from __future__ import annotations

from pathlib import Path

# As the text has it, for a program installed for all users.
USUAL = Path("/usr/local/bin/meshnode")


def unit(program: Path = USUAL) -> str:
    """The unit; `program` is what it starts."""
    text = Path(__file__).with_name("meshnode.service").read_text()
    return text.replace(f"ExecStart={USUAL} ", f"ExecStart={program} ")
