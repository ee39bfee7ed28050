"""The signer's checks: every one of them, each with its sentence. Pure: what it needs to know is handed in."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric import ec

from .csr import check_csr
from .errors import DocumentError, RequestError
from .keys import split_request_key
from .node_key import decode_public_key, session_name_of
from .request import SigningRequest
from .settings import CLOCK_TOLERANCE_S, CertificateSettings
from .spiffe import service_id
from .store import SessionInfo


@dataclass(frozen=True, slots=True)
class Wish:
    """A request whose form and signatures are right; whether the node may have it is still to be asked."""

    request: SigningRequest
    spiffe_id: str
    public_key: ec.EllipticCurvePublicKey


def check_request(
    key: str,
    value: bytes,
    *,
    trust_domain: str,
    datacenter: str,
    settings: CertificateSettings,
    now: datetime,
    seen: Collection[str],
) -> Wish:
    """What can be known from the request alone. `seen` has `<key> <nonce>` of what was answered before. Raises RequestError."""
    path = split_request_key(key)
    if path is None:
        raise RequestError(f"{key} is not meshnode/ca/requests/<node>/<service>")
    try:
        request = SigningRequest.from_bytes(value)
    except DocumentError as error:
        raise RequestError(f"the request cannot be read: {error}") from error
    if (request.node, request.service) != path:
        raise RequestError(
            f"the request is for {request.service} on {request.node}, not for where it lies"
        )
    _check_signature(request)
    _check_time(request, now)
    if f"{key} {request.nonce}" in seen:
        raise RequestError("the request is a replay: its nonce was answered before")
    if request.service in settings.excluded_services:
        raise RequestError(f"the signer's settings exclude the service {request.service}")
    try:
        spiffe_id = service_id(trust_domain, datacenter, request.service)
    except ValueError as error:
        raise RequestError(str(error)) from error
    return Wish(request, spiffe_id, check_csr(request.csr_pem, spiffe_id))


def check_node(request: SigningRequest, session: SessionInfo | None) -> None:
    """That the session speaks for the node and for the key that signed. Raises RequestError.

    `session` is what Consul says, read consistently, of the id in the request. With ACLs on only a node's own token
    can make a session for that node, and nobody can rename one: this is the proof (DESIGN §6), not any held lock.
    """
    if session is None:
        raise RequestError(f"its session {request.session} is not alive")
    if session.node != request.node:
        raise RequestError(f"its session is one of node {session.node}, not of {request.node}")
    if session.name != session_name_of(request.public_key):
        raise RequestError("its session was made for another key than the one that signed it")


def check_service(request: SigningRequest, services: Collection[str]) -> None:
    """That the node runs the service. `services` are those registered on it, read consistently. Raises RequestError."""
    if request.service not in services:
        raise RequestError(
            f"no service {request.service} is registered on node {request.node} in the catalog"
        )


def _check_signature(request: SigningRequest) -> None:
    try:
        decode_public_key(request.public_key)
    except ValueError as error:
        raise RequestError(f"the node's public key cannot be used: {error}") from error
    if not request.is_signature_valid:
        raise RequestError("the request's signature is not by the key it names")


def _check_time(request: SigningRequest, now: datetime) -> None:
    ahead_s = request.time_unix_s - now.timestamp()
    if abs(ahead_s) <= CLOCK_TOLERANCE_S:
        return
    if ahead_s > 0:
        raise RequestError(
            f"the request's time is {_span(ahead_s)} ahead of the signer's clock; set the clocks (NTP)"
        )
    raise RequestError(
        f"the request's time is {_span(-ahead_s)} behind the signer's clock: it waited too long, "
        "or the clocks differ (NTP)"
    )


def _span(seconds: float) -> str:
    """A time as people say it."""
    if abs(seconds) < 7200:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.0f} hours"
