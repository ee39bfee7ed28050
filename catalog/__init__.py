"""Consul: what it holds, watched and compiled into a snapshot."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .backoff import Interruption, persist
    from .client import ConsulClient
    from .clusters import ClearEndpoint
    from .compiler import Compiled, Compiler, LastGood, compile_snapshot
    from .errors import (
        CatalogError,
        ConsulAnswerError,
        ConsulDenied,
        ConsulUnreachable,
        SnapshotFileError,
    )
    from .facts import AgentSelf, SessionInfo
    from .keys import CONFIRM, key_problem, keys_digest, route_name
    from .language.rule import Redirect, Rule, Split
    from .model import Instance, Intentions, IntentionSource, KvEntry, Problem
    from .node import NodeFacts
    from .policy import least_policy
    from .registration import NodeRegistration, Registration
    from .resource import Resource, Resources, digest_of
    from .rights import policy_line
    from .routes import Route, parse_route, to_resource
    from .sessions import SessionKeeper
    from .snapshot import (
        Snapshot,
        delta,
        full,
        load_snapshot,
        save_snapshot,
        snapshot_from_document,
    )
    from .state import State
    from .status import STATUS_PREFIX, Change, NodeStatus, remember
    from .status_reader import Statuses, StatusReader
    from .status_writer import StatusWriter
    from .suggestions import did_you_mean, nearest
    from .table import Changed
    from .transport import Cost
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
    from .watches import Watches

__all__ = [
    "CONFIRM",
    "STATUS_PREFIX",
    "AgentSelf",
    "CatalogError",
    "Change",
    "Changed",
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

# Each name is loaded from its file when somebody first asks for it, so that a command starts with what it needs alone.
_FILES = {
    "AgentSelf": "facts",
    "CONFIRM": "keys",
    "CatalogError": "errors",
    "Change": "status",
    "Changed": "table",
    "ClearEndpoint": "clusters",
    "Compiled": "compiler",
    "Compiler": "compiler",
    "ConsulAnswerError": "errors",
    "ConsulClient": "client",
    "ConsulDenied": "errors",
    "ConsulUnreachable": "errors",
    "Cost": "transport",
    "DefaultIntentionUpdate": "update",
    "Instance": "model",
    "InstancesUpdate": "update",
    "IntentionSource": "model",
    "Intentions": "model",
    "IntentionsUpdate": "update",
    "Interruption": "backoff",
    "KvEntry": "model",
    "KvUpdate": "update",
    "LastGood": "compiler",
    "LocalServicesUpdate": "update",
    "NodeFacts": "node",
    "NodeRegistration": "registration",
    "NodeStatus": "status",
    "NodeVerdict": "verdicts",
    "NodesUpdate": "update",
    "Problem": "model",
    "Redirect": "language.rule",
    "Registration": "registration",
    "Resource": "resource",
    "Resources": "resource",
    "Route": "routes",
    "Rule": "language.rule",
    "STATUS_PREFIX": "status",
    "ServicesUpdate": "update",
    "SessionInfo": "facts",
    "SessionKeeper": "sessions",
    "Snapshot": "snapshot",
    "SnapshotFileError": "errors",
    "Split": "language.rule",
    "Staleness": "update",
    "State": "state",
    "StatusReader": "status_reader",
    "StatusWriter": "status_writer",
    "Statuses": "status_reader",
    "UnhealthyCheck": "update",
    "UnhealthyUpdate": "update",
    "Update": "update",
    "Verdict": "verdicts",
    "Watches": "watches",
    "compile_snapshot": "compiler",
    "delta": "snapshot",
    "did_you_mean": "suggestions",
    "digest_of": "resource",
    "full": "snapshot",
    "key_problem": "keys",
    "keys_digest": "keys",
    "least_policy": "policy",
    "live_nodes": "verdicts",
    "load_snapshot": "snapshot",
    "nearest": "suggestions",
    "parse_route": "routes",
    "persist": "backoff",
    "policy_line": "rights",
    "remember": "status",
    "route_name": "keys",
    "save_snapshot": "snapshot",
    "snapshot_from_document": "snapshot",
    "to_resource": "routes",
    "verdict": "verdicts",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """A name from its file (PEP 562)."""
        if name not in _FILES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f".{_FILES[name]}", __name__), name)
