"""What can go wrong between this room and Consul, each with one sentence for a person; never a user's mistake."""

from __future__ import annotations

import re

NOBODY = "so it is not Consul who answers: is this the address of its HTTP API?"
"""What is said of a 404 where Consul has none."""


class CatalogError(Exception):
    """The base: Consul, or something this room keeps, did not do what was asked. `str()` is the sentence."""


class ConsulUnreachable(CatalogError):  # noqa: N818 (says what Consul is)
    """No answer from Consul: refused, reset, or nothing within the timeout. A repetition may help."""

    def __init__(self, address: str, cause: str) -> None:
        """`address` as the setting has it, `cause` in a few words ("connection refused")."""
        self.address = address
        self.cause = cause
        super().__init__(
            f"Consul at {address} does not answer ({cause}): "
            "is its agent running (`consul members`), and is this its HTTP address?"
        )


class ConsulDenied(CatalogError):  # noqa: N818 (says what Consul is)
    """403: the token lacks a right, or Consul does not know the token."""

    def __init__(self, what: str, detail: str = "") -> None:
        """`what` is the missing right as a policy line (`key_prefix "mesh/" read`), `detail` Consul's words."""
        self.what = what
        self.detail = detail
        if "ACL not found" in detail:
            sentence = "Consul does not know the token: was it deleted, or made in another cluster?"
        elif what:
            sentence = f"the token lacks a right: add `{as_policy(what)}` to its policy"
        else:
            sentence = f"the token lacks a right: {detail or 'Consul does not say which'}"
        super().__init__(sentence)


class ConsulAnswerError(CatalogError):
    """Consul answered with an error, or with something that is no answer."""

    def __init__(self, status: int, text: str) -> None:
        """`status` is the HTTP status (200: the answer could not be read), `text` Consul's words or ours."""
        self.status = status
        self.text = text
        super().__init__(f"Consul answered {status}: {text}")


class SnapshotFileError(CatalogError):
    """The saved snapshot cannot be read or written."""

    def __init__(self, path: str, cause: str) -> None:
        """`path` of the file, `cause` in a clause ("it is cut short")."""
        self.path = path
        self.cause = cause
        super().__init__(f"the saved snapshot {path} is of no use: {cause}")


def as_policy(line: str) -> str:
    """A policy line as Consul's policies have it: `key_prefix "mesh/" read` with the braces around its last word."""
    return re.sub(r'^(\w+ "[^"]*") (\w+)$', r'\1 { policy = "\2" }', line)
