"""What stands of TLS at the edge under `mesh/tls/<host>`: certificate, sealed key, what clients have to show, policy.

Reads no certificate: what is wrong with one is judged by whoever the compiler is lent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, cast

from ..text import Mistake, Token, quote
from ..yamltree import Mapping as Fields
from ..yamltree import Node
from .fields import Shape, text, word

Part = Literal["certificate", "key", "client_certificates"]
Policy = Literal["modern", "intermediate"]
Mode = Literal["required", "optional"]

TLS_MAX_BYTES = 128 * 1024
"""A chain of eight certificates and a few dozen authorities."""


@dataclass(frozen=True, slots=True)
class ClientCertificates:
    """What clients have to show: a certificate signed by one of these authorities (PEM)."""

    mode: Mode
    authorities: str


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """`certificate` is a chain in PEM, `key` its key, sealed; both or neither. `at` has where each part stands."""

    certificate: str | None = None
    key: str | None = field(default=None, repr=False)
    policy: Policy | None = None
    clients: ClientCertificates | None = None
    at: Mapping[Part, Token] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class TlsFault:
    """What is wrong with a part, by whoever reads certificates; a warning leaves the settings in force."""

    part: Part
    sentence: str
    is_error: bool = True


TlsJudge = Callable[[str, TlsSettings], tuple[TlsFault, ...]]
"""What is wrong with the settings of a host, as far as this node can tell."""


def no_judge(_host: str, _settings: TlsSettings) -> tuple[TlsFault, ...]:
    """Where nobody reads certificates."""
    return ()


def _pem(node: Node, name: Token) -> str:
    at = text(node, name)
    if "-----BEGIN" not in at.text:
        sentence = f"the field {quote(name.text)} is text in PEM, which begins with -----BEGIN"
        raise Mistake(sentence, name)
    return at.text


def certificates(node: Node, name: Token) -> str:
    """Certificates as text in PEM. Raises Mistake, above all for a key."""
    found = _pem(node, name)
    if "PRIVATE KEY" in found:
        raise Mistake(_CLEAR, name)
    return found


def _key(node: Node, name: Token) -> str:
    found = text(node, name).text.strip()
    if "PRIVATE KEY" in found:
        raise Mistake(_CLEAR, name)
    if not found.startswith("sealed-"):
        sentence = "the key is not sealed: meshnode tls put HOST --certificate FILE --key FILE seals it and writes all of this"
        raise Mistake(sentence, name)
    return found


_CLEAR = (
    "the key stands here in clear, where everybody who may read Consul can read it: take a new key and certificate, "
    "and let meshnode tls put HOST --certificate FILE --key FILE seal and write them"
)
_CLIENTS = Shape({"mode": word(("required", "optional")), "authorities": certificates})
SHAPE = Shape(
    {
        "certificate": certificates,
        "key": _key,
        "policy": word(("modern", "intermediate")),
        "client_certificates": _CLIENTS.mapping,
    },
    elsewhere={
        "host": "the host is the name of the key",
        "hsts": "it stands in mesh/settings or a route, as in https: redirect+hsts=365d",
        "https": "it stands in mesh/settings or a route, as in https: redirect+hsts=365d",
        "redirect": "it stands in mesh/settings or a route, as in https: redirect",
    },
)

EXAMPLE = "policy: modern"


def read_tls(root: Fields) -> TlsSettings:
    """The settings of a document. Raises Mistake."""
    found = SHAPE.read(root)
    for one, other in (("certificate", "key"), ("key", "certificate")):
        if one in found and other not in found:
            sentence = (
                f"the field {quote(other)} is missing: a certificate and its key come together"
            )
            raise Mistake(sentence, root.names[one])
    clients = found.get("client_certificates")
    if clients is not None and "authorities" not in clients:
        sentence = 'the field "authorities" is missing: the PEM of those whose certificates count'
        raise Mistake(sentence, root.names["client_certificates"])
    return TlsSettings(
        found.get("certificate"),
        found.get("key"),
        cast("Policy | None", found.get("policy")),
        clients and ClientCertificates(clients.get("mode", "required"), clients["authorities"]),
        {cast("Part", name): at for name, at in root.names.items() if name != "policy"},
    )
