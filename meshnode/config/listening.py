"""Whether this machine lets us listen on an address. Listens for a moment, and answers nothing."""

from __future__ import annotations

import errno
import ipaddress
import socket

from ..errors import address_sentence


def split_address(address: str) -> tuple[str, int]:
    """Host without brackets, and port, of `ip:port` or `[ipv6]:port`."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def try_address(what: str, setting: str, address: str, *, may_be_taken: bool = False) -> str | None:
    """A sentence when `what` could not listen there; None when it could, or when taken ports are nothing to wonder at."""
    host, port = split_address(address)
    family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the proxy will: connections of a former one that linger are no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            if may_be_taken and error.errno == errno.EADDRINUSE:
                return None
            return address_sentence(what, address, setting, error)
    return None
