"""IP addresses and ports as the proxy takes them (`10.0.0.1:80`, `[::1]:80`). Resolves no names."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

_CACHED = 65_536
"""Addresses kept parsed: more than the instances of the largest catalog we were built for."""


@lru_cache(maxsize=_CACHED)
def socket_address(host: str, port: int) -> str | None:
    """`ip:port`; None where one cannot dial: a name, a scope, an unspecified address, no port."""
    if not 0 < port < 65_536 or "%" in host:
        return None
    try:
        address = ip_address(host)
    except ValueError:
        return None
    if address.is_unspecified:
        return None
    return f"[{address}]:{port}" if isinstance(address, IPv6Address) else f"{address}:{port}"


def is_loopback(host: str) -> bool:
    """Whether the text is an address of the loopback interface."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_unspecified(host: str) -> bool:
    """Whether the text is `0.0.0.0` or `::`, which people register where they mean their node's address."""
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False


def with_port(text: str, port: int) -> str | None:
    """The address in `ip`, `ip:port`, `[ip]` or `[ip]:port`, with `port` where it has none; None when it is no such."""
    found = re.fullmatch(
        r"\[([0-9A-Fa-f:.]+)\](?::([0-9]{1,5}))?|([0-9.]+)(?::([0-9]{1,5}))?", text
    )
    if not found:
        return socket_address(text, port)
    own_port = found[2] or found[4]
    return socket_address(found[1] or found[3], int(own_port) if own_port else port)


def port_of(address: str) -> int:
    """The port of `ip:port`."""
    return int(address.rpartition(":")[2])
