"""Consul's transactions on keys: all operations or none. Builds and reads `/v1/txn`; decides nothing."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from . import parse
from .errors import CatalogError, ConsulAnswerError, ConsulDenied
from .facts import field
from .model import KvEntry
from .rights import missing_right
from .transport import Answer

MOST_OPERATIONS = 128
"""So many Consul takes in one transaction (agent/txn_endpoint.go: maxTxnOps)."""
MOST_BYTES = 512 * 1024
"""So long may a transaction be (txn_max_req_len)."""

Verb = Literal["cas", "delete-cas", "check-session", "check-index", "check-not-exists"]


@dataclass(frozen=True, slots=True)
class KvOperation:
    """One operation. `index` is the ModifyIndex that a `cas` demands (0: no key), `session` what must hold the key."""

    verb: Verb
    key: str
    value: bytes = b""
    index: int = 0
    session: str = ""

    def to_json(self) -> dict[str, Any]:
        document: dict[str, Any] = {"Verb": self.verb, "Key": self.key, "Index": self.index}
        if self.verb == "cas":
            document["Value"] = b64encode(self.value).decode("ascii")
        if self.session:
            document["Session"] = self.session
        return {"KV": document}


class ConsulConflict(CatalogError):  # noqa: N818 (says what Consul met)
    """A condition of the transaction did not hold, so nothing of it was done."""

    def __init__(self, failed: Sequence[tuple[int, str]]) -> None:
        """`failed` are operations by their place, each with Consul's words."""
        self.failed = tuple(failed)
        super().__init__("; ".join(what for _, what in failed) or "Consul took nothing of it")


def body(operations: Sequence[KvOperation]) -> bytes:
    """Raises ConsulAnswerError for more than Consul would take."""
    if len(operations) > MOST_OPERATIONS:
        words = f"{len(operations)} keys are more than one transaction takes ({MOST_OPERATIONS})"
        raise ConsulAnswerError(413, words)
    found = orjson.dumps([operation.to_json() for operation in operations])
    if len(found) > MOST_BYTES:
        words = f"{len(found):,} bytes are more than one transaction takes ({MOST_BYTES:,})"
        raise ConsulAnswerError(413, words)
    return found


def results(answer: Answer) -> list[KvEntry]:
    """The keys as they stand after it, without their values. Raises ConsulConflict, ConsulDenied."""
    document = answer.json()
    if answer.status == 200:
        found = [field(one, "KV") for one in field(document, "Results") or ()]
        return [parse.kv_entries([{**one, "Value": None}])[0] for one in found]
    failed = [
        (int(field(one, "OpIndex")), str(field(one, "What"))) for one in document["Errors"] or ()
    ]
    for _, what in failed:
        if "ermission denied" in what:
            raise ConsulDenied(missing_right(what), what)
    raise ConsulConflict(failed)
