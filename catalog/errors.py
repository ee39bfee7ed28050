"""What can go wrong between this room and Consul, each with one sentence for a person; never a user's mistake."""

from __future__ import annotations


class CatalogError(Exception):
    """The base: Consul, or something this room keeps, did not do what was asked. `str()` is the sentence."""


class ConsulUnreachable(CatalogError):
    """No answer from Consul: refused, reset, or nothing within the timeout. A repetition may help."""

    def __init__(self, address: str, cause: str) -> None:
        """`address` as the setting has it, `cause` in a few words ("connection refused")."""
        self.address = address
        self.cause = cause
        super().__init__(
            f"Consul at {address} does not answer ({cause}): "
            "is the agent running (`consul members`), and is this its HTTP address?"
        )


class ConsulDenied(CatalogError):
    """403: the token lacks a right, or Consul does not know the token."""

    def __init__(self, what: str, detail: str = "") -> None:
        """`what` is the missing right as a policy line (`key_prefix "mesh/" read`), `detail` Consul's own words."""
        self.what = what
        self.detail = detail
        if "ACL not found" in detail:
            sentence = "Consul does not know the token (deleted, expired, or of another datacenter)"
        elif what:
            sentence = f"the token lacks a right: add  {what}  to its policy (`meshnode acl policy` prints all of it)"
        else:
            sentence = f"the token lacks a right: {detail or 'Consul does not say which'}"
        super().__init__(sentence)


class ConsulAnswerError(CatalogError):
    """Consul answered with an error, or with something that is no answer."""

    def __init__(self, status: int, text: str) -> None:
        """`status` is the HTTP status (200 for an answer that could not be read), `text` Consul's words or ours."""
        self.status = status
        self.text = text
        super().__init__(f"Consul answered {status}: {text}")
