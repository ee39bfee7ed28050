"""The pin on disk and what Consul says of it: which CA this node belongs to. Follows roots, never replaces them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from .documents import RootsDocument
from .errors import DocumentError, PrivateFileError, RootsError
from .keys import ROOTS_KEY
from .settings import CertificateSettings
from .store import Entry
from .trust import Trust, decide

PIN_FILE = "pin.json"
"""Where the pin lies in the state folder."""

log = logging.getLogger(__name__)


class PinnedTrust:
    """`trust` is None before the first contact, and while the pin cannot be read: then nothing is pinned anew."""

    def __init__(self, path: Path, settings: CertificateSettings) -> None:
        self._path = path
        self._settings = settings
        self._seen: bytes | None = None
        self._problems: dict[str, str] = {}
        self.trust: Trust | None = None
        self.is_damaged = False

    @property
    def problems(self) -> tuple[str, ...]:
        return tuple(self._problems.values())

    def load(self) -> None:
        try:
            self.trust = Trust.load(self._path)
        except PrivateFileError as error:
            self.is_damaged = True
            self._problems["pin"] = (
                f"{error}. The node trusts no CA until that is set right; where it is lost, compare meshnode/ca/roots "
                "with another node's pin, remove the file and restart the agent"
            )

    def update(self, entries: Mapping[str, Entry], *, now: datetime) -> bool:
        """Whether the roots in force changed by what stands in `meshnode/ca/roots`."""
        entry = entries.get(ROOTS_KEY)
        if entry is None or entry.value == self._seen or self.is_damaged:
            return False
        self._seen = entry.value
        try:
            document = RootsDocument.from_bytes(entry.value)
        except DocumentError as error:
            self._problems["roots"] = f"{ROOTS_KEY} in Consul cannot be read: {error}"
            return False
        return self.follow(document, now=now)

    def follow(self, document: RootsDocument, *, now: datetime) -> bool:
        """Whether the roots in force changed; what is not taken becomes a problem."""
        try:
            decision = decide(document, self.trust, self._settings, now=now)
        except RootsError as error:
            self._problems["roots"] = str(error)
            return False
        self._problems.pop("roots", None)
        if decision.rejected:
            self._problems["roots"] = (
                f"{ROOTS_KEY} offers roots that no pinned one has cross-signed; they are not taken: "
                + ", ".join(decision.rejected)
            )
        if decision.trust == self.trust:
            return False
        is_first_contact = self.trust is None
        self.trust = decision.trust
        self._save(decision.trust, is_first_contact=is_first_contact)
        return True

    def _save(self, trust: Trust, *, is_first_contact: bool) -> None:
        if is_first_contact:
            log.info("pinned trust domain %s, root %s", trust.trust_domain, trust.fingerprints[0])
        try:
            trust.save(self._path)
        except PrivateFileError as error:
            self._problems["pin"] = f"the roots are not pinned on disk: {error}"
        else:
            self._problems.pop("pin", None)
