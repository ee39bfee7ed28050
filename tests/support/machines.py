"""Machines in one network that know one another by name: a network namespace each, all at a bridge of their own.

As root only. What runs outside sees none of it: the bridge lies in a namespace too. Knows no program that runs there.
"""

import ipaddress
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.support.running import Running

NETWORK = ipaddress.ip_network("10.213.0.0/24")
INTERFACE = "eth0"
COMMAND_SECONDS = 30.0
# `ip netns exec` shows a program these files in place of /etc's.
FILES = Path("/etc/netns")


class Machines(Running):
    """`async with Machines(["machine-1", "jaeger"], aliases={"node-1": "machine-1"}) as machines:`."""

    def __init__(self, names: Sequence[str], *, aliases: Mapping[str, str] | None = None) -> None:
        """`aliases` are further names of a machine, as those of containers that share one's network."""
        hosts = NETWORK.hosts()
        next(hosts)
        self.addresses = {name: str(next(hosts)) for name in names}
        self._aliases = dict(aliases or {})
        self._tag = f"meshnode-{os.getpid()}"

    def within(self, name: str, command: Sequence[str | Path]) -> list[str]:
        """The command as it runs on that machine."""
        return ["ip", "netns", "exec", self._namespace(name), *map(str, command)]

    async def start(self) -> Self:
        switch = self._namespace("switch")
        _ip("netns", "add", switch)
        _ip("-n", switch, "link", "add", "bridge0", "type", "bridge")
        _ip("-n", switch, "link", "set", "bridge0", "up")
        for name, address in self.addresses.items():
            self._plug(name, address, switch)
        return self

    def close(self) -> None:
        """The machines are gone, and with them their ends of the wires."""
        for name in (*self.addresses, "switch"):
            subprocess.run(
                ["ip", "netns", "delete", self._namespace(name)],
                check=False, capture_output=True, timeout=COMMAND_SECONDS,
            )  # fmt: skip
            shutil.rmtree(FILES / self._namespace(name), ignore_errors=True)

    def _plug(self, name: str, address: str, switch: str) -> None:
        """A machine with one wire into the switch, loopback, and a hosts file with all names."""
        namespace = self._namespace(name)
        wire = f"wire{list(self.addresses).index(name)}"
        _ip("netns", "add", namespace)
        _ip("-n", switch, "link", "add", wire, "type", "veth", "peer", "name", INTERFACE, "netns", namespace)  # fmt: skip
        _ip("-n", switch, "link", "set", wire, "master", "bridge0", "up")
        _ip("-n", namespace, "address", "add", f"{address}/{NETWORK.prefixlen}", "dev", INTERFACE)
        _ip("-n", namespace, "link", "set", INTERFACE, "up")
        _ip("-n", namespace, "link", "set", "lo", "up")
        files = FILES / namespace
        files.mkdir(parents=True)
        (files / "hosts").write_text(self._hosts())

    def _hosts(self) -> str:
        names = {**self.addresses, **{name: self.addresses[to] for name, to in self._aliases.items()}}  # fmt: skip
        lines = [f"{address} {name}" for name, address in names.items()]
        return "\n".join(["127.0.0.1 localhost", *lines, ""])

    def _namespace(self, name: str) -> str:
        return f"{self._tag}-{name}"


def _ip(*words: str) -> None:
    subprocess.run(
        ["ip", *words], check=True, capture_output=True, text=True, timeout=COMMAND_SECONDS
    )
