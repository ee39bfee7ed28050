"""Whether a new machine has all it needs to be a node: each thing is looked at, and what is missing is one sentence.

Asks Consul and the machine; writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from catalog import CatalogError, ConsulClient, ConsulUnreachable, KvEntry, policy_line
from certs import CA_PREFIX, CertificateError, MeshCa, check_key, pinned_ca, standing_ca

from ..agent import rights
from ..agent.facts import Me
from ..config import Examined, Settings
from ..config.machine import examine_machine

OWN_SERVICES = frozenset({"consul", "meshnode", "edge"})
NO_TOKEN = "no token was given, and Consul's ACLs refuse without one: set CONSUL_HTTP_TOKEN, or --consul-token-file"  # noqa: S105  (a sentence)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, and what came of it. `is_away`: it could not be asked."""

    what: str
    sentence: str
    is_well: bool = True
    is_away: bool = False


@dataclass(frozen=True, slots=True)
class Joining:
    """What a machine brings along. `key` is the content of a key-encryption key's file, never shown."""

    examined: Examined
    settings: Settings
    has_token: bool
    key: bytes | None
    key_source: Path

    @property
    def says_whether_it_signs(self) -> bool:
        return self.examined.place("certificates.signer").origin != "default"


@dataclass(frozen=True, slots=True)
class Checked:
    """All findings, and what the settings file is to say of the CA. `ca` is None where this node shall make it."""

    findings: tuple[Finding, ...]
    ca: MeshCa | None
    is_signer: bool

    @property
    def is_well(self) -> bool:
        return all(finding.is_well for finding in self.findings)

    @property
    def is_away(self) -> bool:
        return any(finding.is_away for finding in self.findings)


async def check(joining: Joining, client: ConsulClient) -> Checked:
    """Looks at everything, whatever is missing before."""
    findings = list(_machine(joining))
    try:
        me = Me.of(await client.node_self())
        findings.append(Finding("Consul", f"{client.address}, node {me.node} in datacenter {me.datacenter}"))  # fmt: skip
        findings += await _rights(joining, client, me)
        entries = await client.kv_list(CA_PREFIX)
    except CatalogError as error:
        findings.append(_refused(joining, error))
        return Checked(tuple(findings), None, is_signer=False)
    try:
        ca = standing_ca(entries)
    except CertificateError as error:
        findings.append(Finding("CA", f"the mesh's CA in Consul can not be read: {error}", is_well=False))  # fmt: skip
        return Checked(tuple(findings), None, is_signer=False)
    is_signer = _is_signer(joining, ca)
    findings += _root(joining.settings, ca)
    findings += _key(joining, ca, entries, is_signer=is_signer)
    findings += _former(joining.settings, ca)
    return Checked(tuple(findings), ca, is_signer)


def _machine(joining: Joining) -> Iterator[Finding]:
    mistakes = examine_machine(joining.examined)
    for mistake in mistakes:
        yield Finding("machine", str(mistake), is_well=mistake.is_warning)
    if not mistakes:
        yield Finding("machine", "its ports are free, its folders can be made")


def _refused(joining: Joining, error: CatalogError) -> Finding:
    if isinstance(error, ConsulUnreachable):
        return Finding("Consul", str(error), is_well=False, is_away=True)
    sentence = str(error) if joining.has_token else f"{NO_TOKEN}; without one, {error}"
    return Finding("token", sentence, is_well=False)


async def _rights(joining: Joining, client: ConsulClient, me: Me) -> list[Finding]:
    """What every node needs, what its services need, and what a signer needs."""
    lines = await rights.missing(client, joining.settings, me)
    instances = await client.services_on_node(me.node)
    services = sorted({one.service for one in instances if not one.kind} - OWN_SERVICES)
    wanted = [("service", name, "write") for name in services]
    if joining.key is not None:
        wanted.append(("key", f"{CA_PREFIX}x", "write"))
    lines += [policy_line(*right) for right in await client.lacks(wanted)]
    if lines:
        sentence = rights.sentence(lines) if joining.has_token else f"{NO_TOKEN}. {rights.sentence(lines)}"  # fmt: skip
        return [Finding("token", sentence, is_well=False)]
    what = "may do what a node does" if me.acls_deny else "Consul's ACLs do not refuse by default: none is needed"  # fmt: skip
    return [Finding("token", what)]


def _is_signer(joining: Joining, ca: MeshCa | None) -> bool:
    """As it was said; else a machine signs that was given the key, or that begins the mesh."""
    if joining.says_whether_it_signs:
        return joining.settings.certificates_signer
    return joining.key is not None or ca is None


def _root(settings: Settings, ca: MeshCa | None) -> Iterator[Finding]:
    pin, domain = settings.certificates_root_pin, settings.certificates_trust_domain
    if ca is None:
        if pin is None and domain is None:
            yield Finding("CA", "no node has made the mesh's CA yet: this one will")
        else:
            yield Finding("CA", "there is no CA in this Consul yet, and you named one: is this the Consul of the mesh you mean?", is_well=False)  # fmt: skip
        return
    if domain not in (None, ca.trust_domain):
        yield Finding("trust domain", f"this Consul's mesh is {ca.trust_domain}, not {domain}: is this the Consul you mean?", is_well=False)  # fmt: skip
    if pin is None:
        yield Finding("root", f"{ca.root_pins[0]}, taken from Consul unseen: compare it with `meshnode join --print` on a node that stands")  # fmt: skip
    elif pin in ca.root_pins:
        yield Finding("root", f"{pin} is the mesh's root")
    else:
        yield Finding(
            "root",
            f"the root in Consul is {', '.join(ca.root_pins)}, and not the one you named: run `meshnode join --print` on a node "
            "that stands, and if that shows your pin, find out who writes to meshnode/ca/",
            is_well=False,
        )


def _key(
    joining: Joining, ca: MeshCa | None, entries: list[KvEntry], *, is_signer: bool
) -> Iterator[Finding]:
    if joining.key is None:
        if is_signer and ca is not None:
            yield Finding(
                "key",
                "to sign, this machine needs the mesh's key-encryption key: --key-encryption-key FILE, a copy of "
                f"ca-key-encryption-key.json in the state folder of {ca.made_by or 'a node that signs'} (or leave --signer away)",
                is_well=False,
            )
        elif not is_signer:
            yield Finding("signing", "this node will not sign: it was given no key-encryption key")
        return
    if not is_signer:
        yield Finding("key", "a key-encryption key was given to a node that may not sign: leave one of the two away", is_well=False)  # fmt: skip
        return
    try:
        key = check_key(joining.key_source, joining.key, entries)
    except CertificateError as error:
        yield Finding("key", f"the key-encryption key does not open the mesh's CA: {error}", is_well=False)  # fmt: skip
        return
    what = "will seal the CA this node makes" if ca is None else "opens the mesh's CA"
    yield Finding("key", f"key {key.id} {what}")


def _former(settings: Settings, ca: MeshCa | None) -> Iterator[Finding]:
    """A state folder that belongs to another mesh would trust nothing of this one."""
    try:
        pinned = pinned_ca(settings.state_folder)
    except CertificateError as error:
        yield Finding("state folder", str(error), is_well=False)
        return
    if pinned is not None and (ca is None or pinned.trust_domain != ca.trust_domain):
        yield Finding(
            "state folder",
            f"{settings.state_folder} belongs to the mesh {pinned.trust_domain}: run `meshnode leave` with that mesh's Consul, "
            "or name another state_folder",
            is_well=False,
        )
