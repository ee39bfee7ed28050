"""Consul: what it holds, watched and compiled into a snapshot."""

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
from .keys import keys_digest
from .model import Instance, Intentions, IntentionSource, KvEntry, Problem
from .node import NodeFacts
from .resource import Resource, Resources, digest_of
from .snapshot import Snapshot, delta, full, load_snapshot, save_snapshot, snapshot_from_document
from .state import State
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

__all__ = [
    "AgentSelf",
    "CatalogError",
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
    "KvEntry",
    "KvUpdate",
    "LastGood",
    "LocalServicesUpdate",
    "NodeFacts",
    "NodesUpdate",
    "Problem",
    "Resource",
    "Resources",
    "ServicesUpdate",
    "SessionInfo",
    "Snapshot",
    "SnapshotFileError",
    "Staleness",
    "State",
    "UnhealthyCheck",
    "UnhealthyUpdate",
    "Update",
    "compile_snapshot",
    "delta",
    "digest_of",
    "full",
    "keys_digest",
    "load_snapshot",
    "save_snapshot",
    "snapshot_from_document",
]
