"""The policies in force as a file, so that a next start has a last good form of each. Pure but for load_policies."""

from __future__ import annotations

from base64 import b64decode, b64encode
from pathlib import Path

import orjson

from ..keys import policy_prefix
from ..model import KvEntry
from .policies import Policies, decide_policies

SCHEMA = 1
FILE_MAX_BYTES = 64 * 2**20
"""A hundred times what five thousand services may say; a larger file is another one."""


def policies_to_json(policies: Policies) -> bytes:
    """Each document in force by its key, index and value."""
    found = [
        {"key": one.key, "index": one.index, "value": b64encode(one.value).decode()}
        for one in policies.in_force.values()
    ]
    return orjson.dumps({"schema": SCHEMA, "policies": found}, option=orjson.OPT_INDENT_2)


def load_policies(path: Path) -> Policies:
    """What was saved; none where the file is missing or is no such file."""
    try:
        if path.stat().st_size > FILE_MAX_BYTES:
            return Policies()
        document = orjson.loads(path.read_bytes())
        entries = [
            KvEntry(str(one["key"]), b64decode(one["value"], validate=True), int(one["index"]))
            for one in document["policies"]
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Policies()
    known = {entry.key: entry for entry in entries if policy_prefix(entry.key)}
    return decide_policies(tuple(known[key] for key in sorted(known)), Policies())
