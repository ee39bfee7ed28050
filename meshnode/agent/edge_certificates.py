"""Which certificates the proxy is to show: those in KV, opened here, and this node's own. Judges those in KV."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from catalog import Policies, TlsFault, TlsSettings, tls_host
from certs import (
    CertificateError,
    EdgeCertificate,
    EdgeCertificateError,
    SealError,
    check_host,
    date_sentence,
    open_key,
    paired,
    read_authorities,
    read_chain,
    ticket_keys,
)

from .edge_secrets import EdgeSecrets


@dataclass(frozen=True, slots=True)
class CertificateJudge:
    """Says what is wrong with the TLS settings of a host, with what this node has (catalog's TlsJudge)."""

    secrets: EdgeSecrets

    def __call__(self, host: str, settings: TlsSettings) -> tuple[TlsFault, ...]:
        try:
            if settings.clients is not None:
                read_authorities(settings.clients.authorities)
            return self._of_certificate(host, settings)
        except EdgeCertificateError as error:
            return (TlsFault(error.part, str(error)),)

    def _of_certificate(self, host: str, settings: TlsSettings) -> tuple[TlsFault, ...]:
        if settings.certificate is None or settings.key is None:
            return ()
        chain = read_chain(settings.certificate)
        check_host(chain, host)
        dates = date_sentence(chain, datetime.now(UTC))
        faults = [TlsFault("certificate", *dates)] if dates else []
        if self.secrets.key is None:
            return (*faults, *self._without_key(host))
        try:
            key = open_key(self.secrets.key, host, settings.key)
        except SealError as error:
            return (TlsFault("key", str(error)),)
        paired(host, settings.certificate, key)
        return tuple(faults)

    def _without_key(self, host: str) -> tuple[TlsFault, ...]:
        """An edge shows its default certificate then; other nodes have no use for the key."""
        if not self.secrets.is_edge:
            return ()
        sentence = (
            f"{self.secrets.node} has no key-encryption key ({self.secrets.key_path}) and can not open this key: it shows "
            f"its default certificate for {host}. Copy the file from a node that has it, mode 600"
        )
        return (TlsFault("key", sentence, is_error=False),)


class EdgeCertificates:
    """What follows from the policies in force and this node's secrets; opens each key once."""

    def __init__(self) -> None:
        self.secrets = EdgeSecrets()
        self._opened: dict[tuple[str, bytes, str], EdgeCertificate | None] = {}
        self._made_of: tuple[Policies, EdgeSecrets] | None = None
        self._wanted: Mapping[str, EdgeCertificate] = {}

    def wanted(self, policies: Policies) -> Mapping[str, EdgeCertificate]:
        """By host; the default one comes last, so that no host is shown it for want of its own."""
        secrets = self.secrets
        if (
            self._made_of is not None
            and self._made_of[0] is policies
            and self._made_of[1] is secrets
        ):
            return self._wanted
        opened: dict[tuple[str, bytes, str], EdgeCertificate | None] = {}
        found = dict(secrets.files) if secrets.default else {}
        for key, written in policies.tls.items() if secrets.default else ():
            host, value = tls_host(key), policies.in_force[key].value
            if host is None or written.meaning.certificate is None:
                continue
            place = (host, value, secrets.key_id)
            opened[place] = (
                self._opened[place] if place in self._opened else self._open(host, written.meaning)
            )
            if (made := opened[place]) is not None:
                found[host] = made
        if secrets.default is not None:
            found[secrets.default.host] = secrets.default
        self._opened, self._wanted = opened, found
        self._made_of = policies, secrets
        return found

    def tickets(self, now_unix_s: float) -> dict[str, object] | None:
        """The keys all nodes seal session tickets with; None on a node that has not what they are made of."""
        if self.secrets.key is None or self.secrets.default is None:
            return None
        return ticket_keys(self.secrets.key, now_unix_s)

    def _open(self, host: str, settings: TlsSettings) -> EdgeCertificate | None:
        """None where it can't be: the judge has said so in the verdict."""
        if self.secrets.key is None or settings.certificate is None or settings.key is None:
            return None
        try:
            return paired(
                host, settings.certificate, open_key(self.secrets.key, host, settings.key)
            )
        except CertificateError:
            return None
