"""Consul: what it holds, watched and compiled into a snapshot."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .alone import Alone, entered_intentions, state_alone
    from .backoff import Interruption, persist
    from .client import ConsulClient
    from .clusters import ClearEndpoint
    from .compiled import Compiled, LastGood
    from .compiler import Compiler, compile_snapshot
    from .drain_progress import DrainState, drain_problem, drain_states
    from .errors import (
        CatalogError,
        ConsulAnswerError,
        ConsulDenied,
        ConsulUnreachable,
        SnapshotFileError,
    )
    from .facts import AgentSelf, SessionInfo
    from .forms import Form, Refusal
    from .held import Keys
    from .history import (
        HISTORY_PREFIX,
        KeyChange,
        Outcome,
        Revision,
        SignedRevision,
        Value,
        change_to_json,
    )
    from .history_log import History, Past, history_of
    from .history_writer import HistoryWriter, Pen, Surroundings
    from .http_answer import HttpAnswer, HttpBroken
    from .http_client import HttpClient, HttpConnection, request_bytes
    from .intentions import deciding_rule
    from .keys import CONFIRM, TLS, key_problem, keys_digest, route_name, tls_host, tls_key
    from .language.rule import Redirect, Rule, Split
    from .language.targets import service_of
    from .model import Instance, Intentions, IntentionSource, KvEntry, Problem
    from .node import NodeFacts
    from .origins import FieldOrigin, field_origins, time_text
    from .past_keys import PastKeys
    from .policies.expectations import Expectation, RouteTest
    from .policies.policies import Policies, decide_policies
    from .policies.read import Written, read_tls_entry
    from .policies.saved import load_policies, policies_to_json
    from .policies.tls import ClientCertificates, TlsFault, TlsSettings
    from .policy import least_policy
    from .registration import NodeRegistration, Registration
    from .resource import Resource, Resources, digest_of
    from .restoring import Restore, RestoreRefused, operations, rolling_back, undoing
    from .rights import policy_line
    from .routes import Route, parse_route, to_resource
    from .schema import SCHEMA_KINDS, SchemaKind, schema_of
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
    from .status import STATUS_PREFIX, Change, Draining, NodeStatus, remember
    from .status_reader import Statuses, StatusReader
    from .status_writer import StatusWriter
    from .suggestions import did_you_mean, nearest
    from .table import Changed
    from .transactions import ConsulConflict, KvOperation
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
    from .warned import policy_against
    from .watches import Watches

__all__ = [
    "CONFIRM",
    "HISTORY_PREFIX",
    "SCHEMA_KINDS",
    "STATUS_PREFIX",
    "TLS",
    "AgentSelf",
    "Alone",
    "CatalogError",
    "Change",
    "Changed",
    "ClearEndpoint",
    "ClientCertificates",
    "Compiled",
    "Compiler",
    "ConsulAnswerError",
    "ConsulClient",
    "ConsulConflict",
    "ConsulDenied",
    "ConsulUnreachable",
    "Cost",
    "DefaultIntentionUpdate",
    "DrainState",
    "Draining",
    "Expectation",
    "FieldOrigin",
    "Form",
    "History",
    "HistoryWriter",
    "HttpAnswer",
    "HttpBroken",
    "HttpClient",
    "HttpConnection",
    "Instance",
    "InstancesUpdate",
    "IntentionSource",
    "Intentions",
    "IntentionsUpdate",
    "Interruption",
    "KeyChange",
    "Keys",
    "KvEntry",
    "KvOperation",
    "KvUpdate",
    "LastGood",
    "LocalServicesUpdate",
    "NodeFacts",
    "NodeRegistration",
    "NodeStatus",
    "NodeVerdict",
    "NodesUpdate",
    "Outcome",
    "Past",
    "PastKeys",
    "Pen",
    "Policies",
    "Problem",
    "Redirect",
    "Refusal",
    "Registration",
    "Resource",
    "Resources",
    "Restore",
    "RestoreRefused",
    "Revision",
    "Route",
    "RouteTest",
    "Rule",
    "SchemaKind",
    "ServicesUpdate",
    "SessionInfo",
    "SessionKeeper",
    "SignedRevision",
    "Snapshot",
    "SnapshotFileError",
    "Split",
    "Staleness",
    "State",
    "StatusReader",
    "StatusWriter",
    "Statuses",
    "Surroundings",
    "TlsFault",
    "TlsSettings",
    "UnhealthyCheck",
    "UnhealthyUpdate",
    "Update",
    "Value",
    "Verdict",
    "Watches",
    "Written",
    "change_to_json",
    "compile_snapshot",
    "decide_policies",
    "deciding_rule",
    "delta",
    "did_you_mean",
    "digest_of",
    "drain_problem",
    "drain_states",
    "entered_intentions",
    "field_origins",
    "full",
    "history_of",
    "key_problem",
    "keys_digest",
    "least_policy",
    "live_nodes",
    "load_policies",
    "load_snapshot",
    "nearest",
    "operations",
    "parse_route",
    "persist",
    "policies_to_json",
    "policy_against",
    "policy_line",
    "read_tls_entry",
    "remember",
    "request_bytes",
    "rolling_back",
    "route_name",
    "save_snapshot",
    "schema_of",
    "service_of",
    "snapshot_from_document",
    "state_alone",
    "time_text",
    "tls_host",
    "tls_key",
    "to_resource",
    "undoing",
    "verdict",
]

# Each name is loaded from its file when somebody first asks for it, so that a command starts with what it needs alone.
_FILES = {
    "TLS": "keys",
    "ClientCertificates": "policies.tls",
    "TlsFault": "policies.tls",
    "TlsSettings": "policies.tls",
    "tls_host": "keys",
    "tls_key": "keys",
    "read_tls_entry": "policies.read",
    "PastKeys": "past_keys",
    "Keys": "held",
    "Alone": "alone",
    "Expectation": "policies.expectations",
    "Form": "forms",
    "Refusal": "forms",
    "RouteTest": "policies.expectations",
    "Written": "policies.read",
    "entered_intentions": "alone",
    "service_of": "language.targets",
    "state_alone": "alone",
    "AgentSelf": "facts",
    "CONFIRM": "keys",
    "CatalogError": "errors",
    "Change": "status",
    "Changed": "table",
    "ClearEndpoint": "clusters",
    "Compiled": "compiled",
    "Compiler": "compiler",
    "ConsulAnswerError": "errors",
    "ConsulClient": "client",
    "ConsulConflict": "transactions",
    "ConsulDenied": "errors",
    "ConsulUnreachable": "errors",
    "Cost": "transport",
    "DefaultIntentionUpdate": "update",
    "FieldOrigin": "origins",
    "HISTORY_PREFIX": "history",
    "History": "history_log",
    "HistoryWriter": "history_writer",
    "Instance": "model",
    "InstancesUpdate": "update",
    "IntentionSource": "model",
    "Intentions": "model",
    "IntentionsUpdate": "update",
    "Interruption": "backoff",
    "KeyChange": "history",
    "KvEntry": "model",
    "KvOperation": "transactions",
    "KvUpdate": "update",
    "LastGood": "compiled",
    "LocalServicesUpdate": "update",
    "NodeFacts": "node",
    "NodeRegistration": "registration",
    "NodeStatus": "status",
    "NodeVerdict": "verdicts",
    "NodesUpdate": "update",
    "Outcome": "history",
    "Past": "history_log",
    "Pen": "history_writer",
    "Problem": "model",
    "Redirect": "language.rule",
    "Registration": "registration",
    "Resource": "resource",
    "Resources": "resource",
    "Restore": "restoring",
    "RestoreRefused": "restoring",
    "Revision": "history",
    "Route": "routes",
    "Rule": "language.rule",
    "SCHEMA_KINDS": "schema",
    "STATUS_PREFIX": "status",
    "SchemaKind": "schema",
    "ServicesUpdate": "update",
    "SessionInfo": "facts",
    "SessionKeeper": "sessions",
    "SignedRevision": "history",
    "Snapshot": "snapshot",
    "SnapshotFileError": "errors",
    "Split": "language.rule",
    "Staleness": "update",
    "State": "state",
    "StatusReader": "status_reader",
    "StatusWriter": "status_writer",
    "Statuses": "status_reader",
    "Surroundings": "history_writer",
    "UnhealthyCheck": "update",
    "UnhealthyUpdate": "update",
    "Update": "update",
    "Value": "history",
    "Verdict": "verdicts",
    "Watches": "watches",
    "change_to_json": "history",
    "compile_snapshot": "compiler",
    "delta": "snapshot",
    "did_you_mean": "suggestions",
    "digest_of": "resource",
    "field_origins": "origins",
    "full": "snapshot",
    "history_of": "history_log",
    "key_problem": "keys",
    "keys_digest": "keys",
    "least_policy": "policy",
    "live_nodes": "verdicts",
    "load_snapshot": "snapshot",
    "nearest": "suggestions",
    "operations": "restoring",
    "parse_route": "routes",
    "persist": "backoff",
    "policy_against": "warned",
    "policy_line": "rights",
    "remember": "status",
    "rolling_back": "restoring",
    "route_name": "keys",
    "save_snapshot": "snapshot",
    "schema_of": "schema",
    "snapshot_from_document": "snapshot",
    "time_text": "origins",
    "to_resource": "routes",
    "undoing": "restoring",
    "verdict": "verdicts",
    "DrainState": "drain_progress",
    "Draining": "status",
    "drain_problem": "drain_progress",
    "drain_states": "drain_progress",
    "Policies": "policies.policies",
    "deciding_rule": "intentions",
    "decide_policies": "policies.policies",
    "load_policies": "policies.saved",
    "policies_to_json": "policies.saved",
    "HttpAnswer": "http_answer",
    "HttpBroken": "http_answer",
    "HttpClient": "http_client",
    "HttpConnection": "http_client",
    "request_bytes": "http_client",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """A name from its file (PEP 562)."""
        if name not in _FILES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f".{_FILES[name]}", __name__), name)
