"""Whether Consul's token may do what a node does; asked once at the start, so that a missing right is named at once."""

from __future__ import annotations

from collections.abc import Sequence

from catalog import ConsulClient, Problem, policy_line

from ..config import Settings
from .facts import Me

# A node or service nobody has by this name: only a prefix gives the right to it.
ANY = "any-that-may-come"


def wanted(settings: Settings, me: Me) -> list[tuple[str, str, str]]:
    """(resource, name, access) of what every node needs; signing and its own services' rights show themselves when they are missing."""
    rights = [
        ("key", "mesh/", "read"),
        ("key", "meshnode/", "read"),
        ("key", f"meshnode/ca/requests/{me.node}/x", "write"),
        ("key", f"meshnode/status/{me.node}", "write"),
        ("session", me.node, "write"),
        ("session", ANY, "read"),
        ("node", ANY, "read"),
        ("service", ANY, "read"),
        ("service", "meshnode", "write"),
    ]
    return [*rights, ("service", "edge", "write")] if settings.edge_address else rights


async def missing(client: ConsulClient, settings: Settings, me: Me) -> list[str]:
    """The lines that lack in the token's policy, in the words of Consul's ACLs. Raises CatalogError."""
    lacks = await client.lacks(wanted(settings, me))
    return list(dict.fromkeys(policy_line(*right) for right in lacks))


def sentence(lines: Sequence[str]) -> str:
    """One sentence for a token that lacks rights, and what to do."""
    return (
        f"Consul's token lacks {', '.join(lines)}: add {'it' if len(lines) == 1 else 'them'} to its policy "
        "(`meshnode acl policy` prints the whole of it)"
    )


def problem(lines: Sequence[str]) -> Problem:
    return Problem(key="consul token", index=0, severity="error", message=sentence(lines))
