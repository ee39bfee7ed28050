"""What Consul told us, as plain frozen values; knows neither Consul's JSON nor what is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeVar

_T = TypeVar("_T")

Status = Literal["passing", "warning", "critical", "maintenance"]
"""The worst of an instance's checks, the node's own checks included."""

Severity = Literal["error", "warning"]
"""error: the key is not in force as written. warning: it is, and something about it is worth knowing."""

SOURCE_MAX_CHARACTERS = 200
"""A source line in a problem is cut here: 200 problems of a node fit into one status document."""


@dataclass(frozen=True, slots=True)
class KvEntry:
    """One key of Consul's KV store, as read.

    `value` is the raw value (decoded from base64), `modify_index` the index of its last change, `session` the
    session that holds it. Source: Consul API, `GET /v1/kv/`.
    """

    key: str
    value: bytes
    modify_index: int
    create_index: int = 0
    lock_index: int = 0
    flags: int = 0
    session: str | None = None


@dataclass(frozen=True, slots=True)
class Instance:
    """One registered instance of a service, with the worst status of its checks.

    `address` is Service.Address, empty where the node's address stands for it. `meta` is the service's meta as
    sorted pairs. Weights are Consul's (0: not to be used in that state). `kind` is Service.Kind, empty for an
    ordinary service. `node_create_index` tells a Consul node from one of the same name that was taken out and came
    again. Source: Consul API, `GET /v1/health/service/<service>`.
    """

    service: str
    id: str
    node: str
    node_address: str
    address: str = ""
    port: int = 0
    tags: tuple[str, ...] = ()
    meta: tuple[tuple[str, str], ...] = ()
    weight_passing: int = 1
    weight_warning: int = 1
    status: Status = "passing"
    kind: str = ""
    node_create_index: int = 0

    def meta_value(self, name: str) -> str | None:
        """The value of one meta entry, None where it is not set."""
        return next((value for key, value in self.meta if key == name), None)

    @property
    def host(self) -> str:
        """The address others dial: the service's own, else its node's."""
        return self.address or self.node_address

    @property
    def weight(self) -> int:
        """The weight in the present status; 0 when the instance may not be used."""
        if self.status == "passing":
            return self.weight_passing
        return self.weight_warning if self.status == "warning" else 0


@dataclass(frozen=True, slots=True)
class IntentionSource:
    """One source of a service-intentions entry.

    `action` is None when the source has Permissions instead. `namespace`, `partition`, `peer` and `sameness_group`
    are empty where Consul leaves them out or says `default`. Source: Consul, config entry `service-intentions`.
    """

    name: str
    action: Literal["allow", "deny"] | None
    has_permissions: bool = False
    precedence: int = 0
    description: str = ""
    peer: str = ""
    namespace: str = ""
    partition: str = ""
    sameness_group: str = ""


@dataclass(frozen=True, slots=True)
class Intentions:
    """The service-intentions entry of one destination (`*`: of every one)."""

    destination: str
    sources: tuple[IntentionSource, ...]
    modify_index: int


@dataclass(frozen=True, slots=True)
class Problem:
    """A mistake in what people wrote, to be shown to them; never raised.

    `key` is the KV key, or what else the problem is about (`intention web => cart`, `service cart`). `line` and
    `column` count from 1, `column` and `length` in characters; `source` is the line itself. `message` is the whole
    sentence, "did you mean" included; `suggestion` is the bare replacement, for programs. `serving_index` is the
    ModifyIndex of the last good form, where one goes on serving. `winner` is the key that keeps this one from its
    requests. `ended_by` is set where this very value was in force: the key whose deletion ended that, empty where that
    is not known.
    """

    key: str
    index: int
    severity: Severity
    message: str
    line: int | None = None
    column: int | None = None
    length: int | None = None
    source: str | None = None
    suggestion: str | None = None
    serving_index: int | None = None
    winner: str | None = None
    ended_by: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The fields that are set, by name: the form of status documents, the admin API and `--json`."""
        document: dict[str, Any] = {
            "key": self.key,
            "index": self.index,
            "severity": self.severity,
            "message": self.message,
        }
        for name in _OPTIONAL:
            value = getattr(self, name)
            if value is not None:
                document[name] = value
        return document

    @classmethod
    def from_json(cls, document: Any) -> Problem:
        """The problem in a parsed status document. Raises ValueError when it is none."""
        if not isinstance(document, dict):
            raise ValueError("a problem is a mapping")  # noqa: TRY004  (one kind of error for one kind of document)
        severity = document.get("severity")
        if severity not in ("error", "warning"):
            raise ValueError(f"a problem's severity is error or warning, not {severity!r}")
        return cls(
            key=_typed(document, "key", str),
            index=_typed(document, "index", int),
            severity=severity,
            message=_typed(document, "message", str),
            line=_optional(document, "line", int),
            column=_optional(document, "column", int),
            length=_optional(document, "length", int),
            source=_optional(document, "source", str),
            suggestion=_optional(document, "suggestion", str),
            serving_index=_optional(document, "serving_index", int),
            winner=_optional(document, "winner", str),
            ended_by=_optional(document, "ended_by", str),
        )


_OPTIONAL = (
    "line", "column", "length", "source", "suggestion", "serving_index", "winner", "ended_by",
)  # fmt: skip


def _typed(document: dict[str, Any], name: str, kind: type[_T]) -> _T:
    value = document.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"a problem's {name} is missing or of the wrong type")  # noqa: TRY004
    return value


def _optional(document: dict[str, Any], name: str, kind: type[_T]) -> _T | None:
    return None if document.get(name) is None else _typed(document, name, kind)
