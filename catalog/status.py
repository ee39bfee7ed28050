"""What a node says of itself under `meshnode/status/<node>`: the document, signed and read. Pure; keys are given from outside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import orjson

from .fields import canonical, count_of, text_of
from .keys import PREFIX
from .model import KvEntry, Problem

_T = TypeVar("_T")

STATUS_PREFIX = "meshnode/status/"
CHANGES = 16
"""So many of the last changes are kept with their time: enough for the puts of one deployment."""
PROBLEMS = 200
"""So many problems stand in a status; the count tells of the rest."""
MAX_BYTES = 256 * 1024
"""Half of what Consul takes for one value."""

Sign = Callable[[bytes], str]
"""A message's signature by the node key, base64."""
Verify = Callable[[str, bytes, str], bool]
"""Whether (public key, message, signature) fit."""


@dataclass(frozen=True, slots=True)
class Change:
    """The node had `index` in force at `at_unix_ms`, by its own clock."""

    index: int
    at_unix_ms: int


@dataclass(frozen=True, slots=True)
class Draining:
    """An endpoint that drains by `key`: its service, id and Consul node, and how many requests it has from this node.

    `running` is None while that was not counted.
    """

    key: str
    service: str
    id: str
    node: str
    running: int | None = None

    def to_json(self) -> list[str | int | None]:
        return [self.key, self.service, self.id, self.node, self.running]

    @classmethod
    def from_json(cls, value: Any) -> Draining:
        key, service, instance, node, running = value
        count = None if running is None else count_of(running)
        return cls(text_of(key), text_of(service), text_of(instance), text_of(node), count)


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """One node's word.

    `generation` counts its snapshots, `index` is the highest ModifyIndex it had in force (never lowered), `digest`
    says which keys those are (`keys_digest`). `services` are those it serves. `problem_count` may be more than there
    are `problems`. `outbound` is service (`web`, or `web:stock` for calls to that one) and `ip:port` of its outbound listener, `certificates` service and end of its
    certificate (Unix seconds), `clear` what it reaches without encryption: service, instance id, address, node.
    `draining` are endpoints that get no new request from it.
    `admin` is the `ip:port` of its admin API, empty for a node that does not say. `session` and `public_key` are set
    when it is signed.
    """

    node: str
    generation: int
    index: int
    digest: str
    changes: tuple[Change, ...] = ()
    services: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    problem_count: int = 0
    outbound: tuple[tuple[str, str], ...] = ()
    certificates: tuple[tuple[str, int], ...] = ()
    clear: tuple[tuple[str, str, str, str], ...] = ()
    draining: tuple[Draining, ...] = ()
    admin: str = ""
    session: str = ""
    public_key: str = ""

    @property
    def held_back(self) -> tuple[Problem, ...]:
        """What it says of keys that went all at once and serve on (docs/held.md)."""
        return tuple(one for one in self.problems if one.key == PREFIX and one.severity == "error")

    def to_json(self) -> dict[str, Any]:
        """The document without its signature."""
        return {
            "node": self.node,
            "generation": self.generation,
            "index": self.index,
            "digest": self.digest,
            "changes": [
                {"index": change.index, "at_unix_ms": change.at_unix_ms} for change in self.changes
            ],
            "services": list(self.services),
            "problems": [problem.to_json() for problem in self.problems],
            "problem_count": self.problem_count,
            "outbound": dict(self.outbound),
            "certificates": dict(self.certificates),
            "clear": [list(endpoint) for endpoint in self.clear],
            "draining": [endpoint.to_json() for endpoint in self.draining],
            "admin": self.admin,
            "session": self.session,
            "public_key": self.public_key,
        }

    @classmethod
    def from_json(cls, document: Any) -> NodeStatus:
        """Takes fields it does not know, of newer nodes. Raises ValueError with a sentence for what is no status."""
        try:
            return cls(
                node=text_of(document["node"]),
                generation=count_of(document["generation"]),
                index=count_of(document["index"]),
                digest=text_of(document["digest"]),
                changes=tuple(
                    Change(count_of(change["index"]), count_of(change["at_unix_ms"]))
                    for change in document["changes"][-CHANGES:]
                ),
                services=tuple(text_of(name) for name in document["services"]),
                problems=tuple(map(Problem.from_json, document["problems"][:PROBLEMS])),
                problem_count=count_of(document["problem_count"]),
                outbound=_sorted(document["outbound"], text_of),
                certificates=_sorted(document["certificates"], count_of),
                clear=tuple(map(_endpoint, document["clear"])),
                draining=tuple(map(Draining.from_json, document.get("draining", ()))),
                admin=text_of(document.get("admin", "")),
                session=text_of(document["session"]),
                public_key=text_of(document["public_key"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"no status of a node ({error})") from error


@dataclass(frozen=True, slots=True)
class SignedStatus:
    """A status as it stood in Consul: what was signed, by the key it names; nothing about it is checked yet."""

    status: NodeStatus
    message: bytes
    signature: str


def remember(changes: tuple[Change, ...], index: int, at_unix_ms: int) -> tuple[Change, ...]:
    """The changes with one more at their end, if `index` is new; the oldest go."""
    if changes and changes[-1].index >= index:
        return changes
    return (*changes, Change(index, at_unix_ms))[-CHANGES:]


def signed(status: NodeStatus, session: str, public_key: str, sign: Sign) -> bytes:
    """The value to be put: canonical JSON, with `signature` over all other fields. Problems go until it fits."""
    bound = replace(
        status, session=session, public_key=public_key, problems=status.problems[:PROBLEMS]
    )
    message = canonical(bound.to_json())
    while len(message) > MAX_BYTES and bound.problems:
        bound = replace(bound, problems=bound.problems[: len(bound.problems) // 2])
        message = canonical(bound.to_json())
    return canonical({**bound.to_json(), "signature": sign(message)})


def read_signed(entry: KvEntry) -> SignedStatus:
    """The status in a key. Raises ValueError with a sentence, also where the key is another node's."""
    try:
        document = orjson.loads(entry.value)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"no JSON ({error})") from error
    status = NodeStatus.from_json(document)
    if entry.key != STATUS_PREFIX + status.node:
        raise ValueError(f"the status of {status.node} stands at {entry.key}")
    signature = document.pop("signature", None)
    if not isinstance(signature, str):
        raise ValueError("it is not signed")  # noqa: TRY004 (one kind of error for one document)
    return SignedStatus(status, canonical(document), signature)


def _sorted(document: Any, read: Callable[[Any], _T]) -> tuple[tuple[str, _T], ...]:
    return tuple((name, read(value)) for name, value in sorted(document.items()))


def _endpoint(value: Any) -> tuple[str, str, str, str]:
    service, instance, address, node = map(text_of, value)
    return service, instance, address, node
