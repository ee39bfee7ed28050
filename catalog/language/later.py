"""What this version does not do yet, by name, and names that are right elsewhere: neither is silently taken, neither is
called unknown.
"""

from __future__ import annotations

from ..suggestions import nearest
from ..text import Mistake, Token, quote

SETTINGS = (
    "add", "host", "https", "priority", "replace", "retries", "strip", "timeout", "timeout_head", "timeout_idle",
)  # fmt: skip
SETTINGS_NOT_YET = ("balance", "ejection", "health", "middlewares", "mirror", "mtls")
FLAGS_NOT_YET = ("insecure",)
FIRST_WORDS_NOT_YET = ("udp",)
TARGETS_NOT_YET = ("mirror",)
"""Words before or behind a service that say what else is done with the request."""
FIELDS_NOT_YET = (
    "balance", "ejection", "health", "middlewares", "mirror", "mtls", "udp",
)  # fmt: skip

SETTINGS_OF_DOCUMENTS = (
    "backoff", "budget", "limit", "limits", "per_try_timeout", "request_headers", "response_headers", "rewrite",
)  # fmt: skip
"""What a line has no words for."""

SETTINGS_ELSEWHERE = {
    "subset": "a subset stands behind its service, as in cart[tag=v2]",
    "weight": "a share stands behind its service, as in cart 90%",
    "rewrite_host": 'in a line, the host that is sent on is called "host"',
    "methods": "methods stand in front of the host, as in GET,HEAD shop.example/",
}
FIELDS_ELSEWHERE = {
    "client": 'who may use a route stands under "when", as in when: [client=10.0.0.0/8]',
    "client_addresses": 'who may use a route stands under "when", as in when: [client=10.0.0.0/8]',
    "cookies": 'conditions stand under "when", as in when: [cookie.group=b]',
    "from": 'the calling service stands under "when", as in when: [from=web]',
    "headers": 'conditions stand under "when", as in when: [header.x-beta=1]; changes under request_headers',
    "query": 'conditions stand under "when", as in when: [query.debug]',
    "source": 'the calling service stands under "when", as in when: [from=web]',
    "sources": 'the calling service stands under "when", as in when: [from=web]',
    "subset": "a subset stands behind its service, as in service: cart[tag=v2]",
}


def not_yet(what: str) -> str:
    """The sentence for what later versions do."""
    return f"{what} is not in this version yet, so the key is refused"


def check_setting(name: str, at: Token) -> None:
    """Refuses a name behind the target that is no setting of a line."""
    if name in SETTINGS:
        return
    if name in SETTINGS_OF_DOCUMENTS:
        sentence = f"a line has no {quote(name)}; write the route as a document (docs/routes.md)"
        raise Mistake(sentence, at)
    _refuse(name, at, "setting", SETTINGS, SETTINGS_NOT_YET, SETTINGS_ELSEWHERE)


def check_field(name: str, at: Token, known: tuple[str, ...], *, is_route: bool) -> None:
    """Refuses a field that a mapping does not have; of the route itself some come later."""
    later, elsewhere = (FIELDS_NOT_YET, FIELDS_ELSEWHERE) if is_route else ((), {})
    _refuse(name, at, "field", known, later, elsewhere)


def _refuse(
    name: str,
    at: Token,
    kind: str,
    known: tuple[str, ...],
    later: tuple[str, ...],
    elsewhere: dict[str, str],
) -> None:
    if name in later:
        raise Mistake(not_yet(f"the {kind} {quote(name)}"), at)
    if name in elsewhere:
        raise Mistake(f"no {kind} is called {quote(name)}: {elsewhere[name]}", at)
    raise Mistake(f"no {kind} is called {quote(name)}", at, nearest(name, (*known, *later)))
