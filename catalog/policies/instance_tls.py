"""TLS towards a service's instances, the field `tls` of its policy: whom they have to prove to be. Verifies none."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Mapping
from typing import Any

from ..text import Mistake, Token, quote
from ..values import host
from ..yamltree import Mapping as Fields
from ..yamltree import Node
from .fields import Shape, text
from .tls import certificates

_NEVER = (
    "whom an instance proves to be is never left out: name the authority that signed its certificate "
    "(authorities: its PEM)"
)


def _server_name(node: Node, name: Token) -> str:
    at = text(node, name)
    try:
        return str(ipaddress.ip_address(at.text.removeprefix("[").removesuffix("]")))
    except ValueError:
        found = host(at)
    if "*" in found:
        raise Mistake("a certificate is asked for one name: write it without *", at)
    return found


def _authorities(node: Node, name: Token) -> str:
    found = certificates(node, name)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=found)
    except (ssl.SSLError, ValueError):
        sentence = f"the field {quote(name.text)} has no certificate that can be read: it is the PEM of who signed theirs"
        raise Mistake(sentence, name) from None
    return found


SHAPE = Shape(
    {"server_name": _server_name, "authorities": _authorities},
    later=("certificate", "key", "policy", "versions"),
    elsewhere=dict.fromkeys(
        ("insecure", "insecure_skip_verify", "skip_verify", "tlsskipverify", "verify"), _NEVER
    ),
)


def read_instance_tls(node: Node, name: Token) -> Mapping[str, Any]:
    """As docs/boundary.md has it: `{"server_name": …, "authorities_pem": …}`. `tls: db.example` is the short form.

    Raises Mistake.
    """
    if not isinstance(node, Fields):
        return {"server_name": _server_name(node, name)}
    found = SHAPE.read(node)
    if "server_name" not in found:
        sentence = 'the field "server_name" is missing: whom the instances\' certificate is for'
        raise Mistake(sentence, name)
    if "authorities" in found:
        return {"server_name": found["server_name"], "authorities_pem": found["authorities"]}
    return found
