"""How certificates stand, as problems in sentences that stay the same while their cause does. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from .documents import AuthorityDocument
from .errors import DocumentError
from .identity import Identity
from .provider import CertificateProblem
from .store import Entry
from .trust import Trust

# Time to make a new root and to see every node take it.
ROOT_WARNING = timedelta(days=30)


def service_problem(
    service: str, identity: Identity | None, failure: str | None, now: datetime
) -> CertificateProblem | None:
    """What is wrong with one wanted service's identity; None while it has a valid one and no renewal failed.

    `failure` is why the last try to get one brought nothing. A service that has only just been asked for has neither.
    """
    because = f": {failure}" if failure else ""
    if identity is None:
        return CertificateProblem(service, f"no certificate yet{because}") if failure else None
    if now >= identity.not_after:
        ended = f"its certificate ended at {_moment(identity.not_after)}"
        return CertificateProblem(service, f"{ended} and could not be renewed{because}")
    if now < identity.not_before:
        begins = f"its certificate begins at {_moment(identity.not_before)}"
        return CertificateProblem(
            service, f"{begins}, in the future of this machine's clock: set the clock{because}"
        )
    if failure is None:
        return None
    valid = f"its certificate is valid until {_moment(identity.not_after)}"
    return CertificateProblem(service, f"{valid} and could not be renewed{because}", "warning")


def root_problem(trust: Trust | None, now: datetime) -> CertificateProblem | None:
    """The end of the last root in force, once it is near: every leaf ends with it."""
    if trust is None:
        return None
    ends = max(root.not_valid_after_utc for root in trust.roots)
    if now >= ends:
        return CertificateProblem(
            "ca", f"the mesh's root ended on {_moment(ends)}: no new connection is trusted"
        )
    if now >= ends - ROOT_WARNING:
        sentence = f"the mesh's root ends on {_moment(ends)}, and every certificate with it"
        return CertificateProblem("ca", sentence, "warning")
    return None


def no_signer_sentence(authority: Entry | None, key_file: Path, *, is_signer: bool) -> str:
    """What to do when nobody signs; `authority` is the entry of `meshnode/ca/key`."""
    if authority is None:
        return "there is no CA in Consul and no node that would make one: start the agent on a node that may be a signer"
    try:
        made_on = AuthorityDocument.from_bytes(authority.value).created_by
    except DocumentError as error:
        return f"no node signs certificates: meshnode/ca/key cannot be read ({error})"
    start = f"no node signs certificates: start the agent on {made_on}, which made the CA"
    if not is_signer:
        return start
    return f"{start}, or copy its key-encryption key to this node as {key_file} (mode 600, owned by the agent's user)"


def kept_problems(problems: Mapping[str, str]) -> Iterator[CertificateProblem]:
    """What is wrong with the files of identities: all of it serves on."""
    for subject, message in sorted(problems.items()):
        yield CertificateProblem(subject, message, "warning")


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"
