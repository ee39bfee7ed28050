"""The identities this node holds, in memory and on disk for a start without Consul. Asks nobody for new ones."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

from .errors import AnswerError, PrivateFileError
from .files import read_checked, remove, with_checksum, write_private
from .identity import Identity, from_json
from .keys import is_segment
from .spiffe import service_id
from .trust import Trust

log = logging.getLogger(__name__)

SUFFIX = ".json"


class Shelf:
    """Identities by service; each in a file of its own, mode 0600, with a checksum."""

    def __init__(self, folder: Path, datacenter: str) -> None:
        self._folder = folder
        self._datacenter = datacenter
        self._held: dict[str, Identity] = {}
        self.problems: dict[str, str] = {}
        """By service: why a file is not used, or could not be written."""

    def load(self, trust: Trust) -> None:
        """Takes the files whose leaf still leads to a trusted root; expired ones too. Others become problems."""
        try:
            paths = sorted(self._folder.glob(f"*{SUFFIX}"))
        except OSError as error:
            self.problems["ca"] = f"{self._folder} cannot be read: {error.strerror}"
            return
        for path in paths:
            service = path.name.removesuffix(SUFFIX)
            if not is_segment(service):
                continue
            try:
                identity = self._read(path, service, trust)
            except (PrivateFileError, AnswerError, ValueError) as error:
                log.warning("the identity kept for %s is not used: %s", service, error)
                self.problems[service] = f"the identity kept on disk is not used: {error}"
            else:
                self._held[service] = identity

    def get(self, service: str) -> Identity | None:
        return self._held.get(service)

    def put(self, identity: Identity) -> None:
        """In memory; `save` makes it last."""
        self._held[identity.name] = identity

    async def save(self, identity: Identity) -> None:
        """On disk. A full or read-only disk is a problem, not an error: the identity serves all the same."""
        path = self._path(identity.name)
        try:
            await asyncio.to_thread(write_private, path, with_checksum(identity.to_json()))
        except PrivateFileError as error:
            log.warning("the identity of %s is not kept: %s", identity.name, error)
            self.problems[identity.name] = (
                f"the identity is not kept on disk, so a start without Consul would have none: {error}"
            )
            return
        self.problems.pop(identity.name, None)

    def drop(self, service: str) -> None:
        """From memory and disk."""
        self._held.pop(service, None)
        self.problems.pop(service, None)
        try:
            remove(self._path(service))
        except PrivateFileError as error:
            log.warning("%s", error)

    def __iter__(self) -> Iterator[Identity]:
        return iter(tuple(self._held.values()))

    def _path(self, service: str) -> Path:
        return self._folder / f"{service}{SUFFIX}"

    def _read(self, path: Path, service: str, trust: Trust) -> Identity:
        body = read_checked(path) or {}
        name = service_id(trust.trust_domain, self._datacenter, service)
        identity = from_json(body, trust, spiffe_id=name)
        if identity.name != service:
            raise AnswerError(f"it is an identity of {identity.name}")
        return identity
