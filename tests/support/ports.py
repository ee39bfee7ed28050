"""Ports nobody uses, on an address of one's own choice."""

import random
import socket

# Below Linux' range for outgoing connections, so that none of those takes a port between choice and use.
PORTS = range(20_000, 32_000)
# Whole ranges, for programs that choose ports themselves.
RANGES = range(10_000, 20_000)
ATTEMPTS = 200

# A name in the abstract namespace a port: it keeps two test runs at the same time apart and is gone with the process.
_claims: list[socket.socket] = []


def free_port(address: str = "127.0.0.1") -> int:
    """A port that is free on `address` for TCP and UDP, and that no other test run will be given while this one lives."""
    for port in random.sample(PORTS, ATTEMPTS):
        if _is_free(address, port) and _claim(port):
            return port
    raise RuntimeError(f"no free port on {address} in {ATTEMPTS} attempts")


def free_range(address: str, size: int) -> range:
    """Ports side by side, all of them as `free_port` gives one."""
    for first in random.sample(RANGES[::size], min(ATTEMPTS, len(RANGES[::size]))):
        ports = range(first, first + size)
        if all(_is_free(address, port) for port in ports) and _claim(first):
            return ports
    raise RuntimeError(f"no {size} free ports side by side on {address}")


def _is_free(address: str, port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True


def _claim(port: int) -> bool:
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claim.bind(f"\0meshnode-tests-port-{port}")
    except OSError:
        claim.close()
        return False
    _claims.append(claim)
    return True
