"""May this caller call that service? `/v1/agent/connect/authorize`: Consul's own decision for a SPIFFE name, with its reason."""

from __future__ import annotations

import re
from urllib.parse import unquote

from . import intention_entries
from .answer import Answer
from .body import Fields, parse_json
from .call import Call, Route
from .entries import Entry
from .errors import bad_request
from .service_form import refuse_unknown

_FIELDS = frozenset(["target", "clientcerturi", "clientcertserial", "namespace", "partition"])
# The trust domain is not looked at, as in Consul: whoever asks has seen the certificate.
_NAME = re.compile(
    r"spiffe://[^/]+(?:/ap/[^/]+)?/ns/(?P<ns>[^/]+)/dc/(?P<dc>[^/]+)/svc/(?P<svc>[^/]+)"
)
NOBODY_SAID = "Default behavior configured by ACLs"


async def _authorize(call: Call) -> Answer:
    try:
        fields = Fields(parse_json(call.body), "structs.ConnectAuthorizeRequest")
        refuse_unknown(fields, _FIELDS)
        target, uri = fields.text("Target"), fields.text("ClientCertURI")
    except ValueError as error:
        raise bad_request(f"Request decode failed: {error}") from None
    if not target:
        raise bad_request("Target service must be specified")
    found = _NAME.fullmatch(uri)
    if found is None:
        raise bad_request("ClientCertURI not a valid Connect identifier")
    decisive = call.store.read(
        lambda reader: intention_entries.decisive(reader, unquote(found["svc"]), target)
    )
    if decisive is None:
        return Answer({"Authorized": True, "Reason": NOBODY_SAID})
    is_allowed = decisive["Action"] == "allow"
    reason = f"Matched L4 intention: {_told(decisive)}"
    return Answer({"Authorized": is_allowed, "Reason": reason})


def _told(intention: Entry) -> str:
    legacy_id = f"ID: {intention['ID']}, " if "ID" in intention else ""
    return (
        f"default/{intention['SourceName']} => default/{intention['DestinationName']}"
        f" ({legacy_id}Precedence: {intention['Precedence']}, Action: {intention['Action'].upper()})"
    )


ROUTES = (Route("/v1/agent/connect/authorize", {"POST": _authorize}),)
