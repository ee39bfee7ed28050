"""Which line of a node's least policy is missing, from Consul's own words. Pure; asks nobody."""

from __future__ import annotations

import re

KEYS = 'key_prefix "mesh/" read'
MACHINE_KEYS = 'key_prefix "meshnode/" read'
SERVICES = 'service_prefix "" { policy = "read", intentions = "read" }'
NODES = 'node_prefix "" read'
SESSIONS = 'session_prefix "" read'

# Consul 1.22, acl/errors.go: PermissionDeniedError.
_LACKS = re.compile(
    r"lacks permission '(?P<resource>\w+):(?P<access>\w+)'(?: on \"(?P<name>[^\"]*)\")?"
)


def missing_right(text: str) -> str:
    """The policy line for a 403 with this body, wide enough that the next call does not lack the next key.

    Empty when the body names no permission (the token itself is unknown).
    """
    found = _LACKS.search(text)
    return policy_line(found["resource"], found["name"] or "", found["access"]) if found else ""


def policy_line(resource: str, name: str, access: str) -> str:
    """The line for one right in the words of Consul's ACLs: `policy_line("key", "mesh/", "read")`."""
    match resource:
        case "key":
            return _key(access, name)
        case "service":
            return SERVICES if access == "read" else f'service "{name}" write'
        case "intention":
            return SERVICES if access == "read" else intention_write(name)
        case "node":
            return NODES if access == "read" else f'node "{name}" write'
        case "session":
            return SESSIONS if access == "read" else f'session "{name}" write'
        case "agent":
            return f'agent "{name}" {access}'
        case _:
            return f'{resource} = "{access}"'


def intention_write(destination: str) -> str:
    """The line that lets one write a destination's intentions."""
    return f'service "{destination}" {{ policy = "read", intentions = "write" }}'


def _key(access: str, key: str) -> str:
    """The least policy speaks of prefixes; what it does not speak of is named as it is."""
    first, *rest = key.split("/")
    if access in ("read", "list"):
        known = {"mesh": KEYS, "meshnode": MACHINE_KEYS}
        exact = f'key_prefix "{key}" read' if key.endswith("/") else f'key "{key}" read'
        return known.get(first, exact)
    if first == "mesh":
        return 'key_prefix "mesh/" write'
    if first == "meshnode" and len(rest) > 1:
        return _machine_key(rest, key)
    return f'key "{key}" {access}'


def _machine_key(parts: list[str], key: str) -> str:
    if parts[:2] == ["ca", "requests"] and len(parts) > 2:
        return f'key_prefix "meshnode/ca/requests/{parts[2]}/" write'
    if parts[0] in ("ca", "history"):
        return f'key_prefix "meshnode/{parts[0]}/" write'
    return f'key "{key}" write'
