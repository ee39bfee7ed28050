"""Addresses and ports for the demo: whether they are here and free, else the next that is. Listens on none of them."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..errors import StartError

# What people type goes here: edge, registry and admin API of the first node.
FRONT_DOOR = "127.0.0.1"
# So many ports above the usual one are tried: a machine with all of them taken is not the place for a demo.
TRIES = 100
# Two demos that start at once choose apart by names in the kernel's abstract namespace: they end with their process.
CLAIM = "\0meshnode-dev-port-{address}-{port}"


@dataclass(frozen=True, slots=True)
class Moved:
    """A port that is not the usual one. `is_typed`: people type it, so they are told."""

    what: str
    usual: int
    port: int
    is_typed: bool


@dataclass(slots=True)
class Ports:
    """Chooses ports, and remembers which of them are not the usual ones."""

    moved: list[Moved] = field(default_factory=list)
    _claims: list[socket.socket] = field(default_factory=list)

    def choose(
        self, what: str, usual: int, addresses: Sequence[str], *, is_typed: bool = False
    ) -> int:
        """A port that is free on each of these addresses. Raises StartError with what to do."""
        for port in range(usual, usual + TRIES):
            if all(is_free(address, port) for address in addresses) and self._claim(
                addresses, port
            ):
                if port != usual:
                    self.moved.append(Moved(what, usual, port, is_typed))
                return port
        raise StartError(
            f"no port from {usual} to {usual + TRIES - 1} is free on {' and '.join(addresses)} for "
            f"{what}: stop what has them (ss -ltnp names it)"
        )

    def close(self) -> None:
        """Gives the claims up; a program that listens by now keeps its port by that."""
        for claim in self._claims:
            claim.close()
        self._claims.clear()

    def _claim(self, addresses: Sequence[str], port: int) -> bool:
        claims: list[socket.socket] = []
        for address in addresses:
            claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            claims.append(claim)
            try:
                claim.bind(CLAIM.format(address=address, port=port))
            except OSError:
                for one in claims:
                    one.close()
                return False
        self._claims.extend(claims)
        return True


def is_free(address: str, port: int) -> bool:
    """Whether a program could listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections of a former one that linger are no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def addresses_here(addresses: Sequence[str]) -> Sequence[str]:
    """Where the nodes are to be: these addresses, or for one node alone the one every machine has.

    Raises StartError where some are not here, with what gives them.
    """
    absent = [address for address in addresses if not is_here(address)]
    if not absent:
        return addresses
    if len(addresses) == 1:
        return [FRONT_DOOR]
    raise StartError(
        f"this machine has no {' or '.join(absent)} for the nodes: as root, ip addr add {FRONT_DOOR}/8 dev lo "
        "gives it all of them; or start one node, which needs none of its own (--nodes 1)"
    )


def is_here(address: str) -> bool:
    """Whether it is this machine's. Raises StartError where that can't be told."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                return False
            raise StartError(f"the address {address} can not be had: {error.strerror}") from error
    return True
