"""Consul: what it holds, watched and compiled into a snapshot."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .clusters import ClearEndpoint
from .errors import (
    CatalogError,
    ConsulAnswerError,
    ConsulDenied,
    ConsulUnreachable,
    SnapshotFileError,
)
from .facts import AgentSelf, SessionInfo
from .keys import key_problem, keys_digest, route_name
from .model import Instance, Intentions, IntentionSource, KvEntry, Problem
from .node import NodeFacts
from .policy import least_policy
from .resource import Resource, Resources, digest_of
from .rights import policy_line
from .rule import Redirect, Rule, Split
from .snapshot import Snapshot, delta, full, load_snapshot, save_snapshot, snapshot_from_document
from .status import STATUS_PREFIX, Change, NodeStatus, remember
from .status_reader import Statuses, StatusReader
from .suggestions import did_you_mean, nearest
from .update import (
    DefaultIntentionUpdate,
    InstancesUpdate,
    IntentionsUpdate,
    KvUpdate,
    LocalServicesUpdate,
    NodesUpdate,
    ServicesUpdate,
    Staleness,
    UnhealthyCheck,
    UnhealthyUpdate,
    Update,
)
from .verdicts import NodeVerdict, Verdict, live_nodes, verdict

if TYPE_CHECKING:
    from .backoff import Interruption, persist
    from .client import ConsulClient
    from .compiler import Compiled, Compiler, LastGood, compile_snapshot
    from .registration import NodeRegistration, Registration
    from .routes import Route, parse_route, to_resource
    from .sessions import SessionKeeper
    from .state import State
    from .status_writer import StatusWriter
    from .transport import Cost
    from .watches import Watches

__all__ = [
    "STATUS_PREFIX",
    "AgentSelf",
    "CatalogError",
    "Change",
    "ClearEndpoint",
    "Compiled",
    "Compiler",
    "ConsulAnswerError",
    "ConsulClient",
    "ConsulDenied",
    "ConsulUnreachable",
    "Cost",
    "DefaultIntentionUpdate",
    "Instance",
    "InstancesUpdate",
    "IntentionSource",
    "Intentions",
    "IntentionsUpdate",
    "Interruption",
    "KvEntry",
    "KvUpdate",
    "LastGood",
    "LocalServicesUpdate",
    "NodeFacts",
    "NodeRegistration",
    "NodeStatus",
    "NodeVerdict",
    "NodesUpdate",
    "Problem",
    "Redirect",
    "Registration",
    "Resource",
    "Resources",
    "Route",
    "Rule",
    "ServicesUpdate",
    "SessionInfo",
    "SessionKeeper",
    "Snapshot",
    "SnapshotFileError",
    "Split",
    "Staleness",
    "State",
    "StatusReader",
    "StatusWriter",
    "Statuses",
    "UnhealthyCheck",
    "UnhealthyUpdate",
    "Update",
    "Verdict",
    "Watches",
    "compile_snapshot",
    "delta",
    "did_you_mean",
    "digest_of",
    "full",
    "key_problem",
    "keys_digest",
    "least_policy",
    "live_nodes",
    "load_snapshot",
    "nearest",
    "parse_route",
    "persist",
    "policy_line",
    "remember",
    "route_name",
    "save_snapshot",
    "snapshot_from_document",
    "to_resource",
    "verdict",
]

# Loaded when somebody first asks for them: a command that needs none of their libraries starts without.
_LATE = {
    "Compiled": "compiler",
    "Compiler": "compiler",
    "ConsulClient": "client",
    "Cost": "transport",
    "Interruption": "backoff",
    "LastGood": "compiler",
    "NodeRegistration": "registration",
    "Registration": "registration",
    "Route": "routes",
    "SessionKeeper": "sessions",
    "State": "state",
    "StatusWriter": "status_writer",
    "Watches": "watches",
    "compile_snapshot": "compiler",
    "parse_route": "routes",
    "persist": "backoff",
    "to_resource": "routes",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """A late name, from its file (PEP 562)."""
        if name not in _LATE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f".{_LATE[name]}", __name__), name)
