"""Which policies are in force: what their keys say now, or the last good form where that cannot be. Reads keys alone."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from operator import attrgetter

from ..keys import (
    DRAIN,
    SERVICES,
    SETTINGS,
    TESTS,
    TLS,
    UPSTREAMS,
    policy_prefix,
    tls_host,
)
from ..model import KvEntry, Problem
from .drains import Drain
from .expectations import RouteTest
from .read import Meaning, Written, read_entry
from .service import ServicePolicy
from .settings import MeshSettings
from .tls import TlsFault, TlsJudge, TlsSettings, no_judge
from .upstreams import Upstreams

Parsed = Written[Meaning] | Problem

_key = attrgetter("key")


@dataclass(frozen=True, slots=True)
class Policies:
    """What is in force of each kind: services and upstreams by the service's name, drains, tests and TLS by key.

    `entries` are the keys it was made of, `parsed` what each of them says, which saves reading it again.
    """

    settings: Written[MeshSettings] | None = None
    services: Mapping[str, Written[ServicePolicy]] = field(default_factory=dict)
    upstreams: Mapping[str, Written[Upstreams]] = field(default_factory=dict)
    drains: Mapping[str, Written[Drain]] = field(default_factory=dict)
    tests: Mapping[str, Written[RouteTest]] = field(default_factory=dict)
    tls: Mapping[str, Written[TlsSettings]] = field(default_factory=dict)
    closed: Mapping[str, Problem] = field(default_factory=dict)
    """Keys of TLS settings that never could be read and may demand something of clients: with what is wrong."""
    judge: TlsJudge = no_judge
    """Who judged certificates."""
    problems: tuple[Problem, ...] = ()
    entries: tuple[KvEntry, ...] = ()
    parsed: Mapping[str, Parsed] = field(default_factory=dict)
    in_force: Mapping[str, Written[Meaning]] = field(default_factory=dict)
    """All of them, by key."""


def decide_policies(
    entries: tuple[KvEntry, ...], previous: Policies, judge: TlsJudge = no_judge
) -> Policies:
    """The policies of all keys, which are sorted; `previous` itself where none of its keys changed, nor the judge."""
    own = tuple(_own(entries))
    if own == previous.entries and judge == previous.judge:
        return previous
    known = {entry.key: entry for entry in previous.entries}
    parsed: dict[str, Parsed] = {}
    in_force: dict[str, Written[Meaning]] = {}
    problems: list[Problem] = []
    closed: dict[str, Problem] = {}
    for entry in own:
        key, prefix = entry.key, policy_prefix(entry.key)
        if prefix is None:
            continue
        is_known = known.get(key) == entry
        found = parsed[key] = previous.parsed[key] if is_known else read_entry(prefix, entry)
        last = previous.in_force.get(key)
        if isinstance(found, Written) and isinstance(found.meaning, TlsSettings):
            found, warnings = _judged(found, found.meaning, judge)
            problems += warnings
        if isinstance(found, Written):
            in_force[key] = found
        else:
            problems.append(replace(found, serving_index=last.index) if last else found)
            if last is not None:
                in_force[key] = last
            elif prefix == TLS and _may_demand(entry):
                closed[key] = found
    made = _sorted_out(own, parsed, in_force, tuple(problems))
    return replace(made, closed=closed, judge=judge)


def _judged(
    written: Written[Meaning], settings: TlsSettings, judge: TlsJudge
) -> tuple[Written[Meaning] | Problem, list[Problem]]:
    """The settings, or what is wrong with their certificates; and what people should hear beside."""
    faults = judge(tls_host(written.key) or "", settings)
    told = [_fault_problem(written, settings, fault) for fault in faults]
    error = next((one for one in told if one.severity == "error"), None)
    return error or written, [one for one in told if one.severity == "warning" and not error]


def _fault_problem(written: Written[Meaning], settings: TlsSettings, fault: TlsFault) -> Problem:
    at = settings.at.get(fault.part)
    return Problem(
        written.key,
        written.index,
        "error" if fault.is_error else "warning",
        fault.sentence,
        line=at.line if at else None,
        column=at.column if at else None,
        length=max(at.length, 1) if at else None,
    )


def _may_demand(entry: KvEntry) -> bool:
    """Whether a value nobody could read may speak of client certificates, be it mistyped, or is no text at all."""
    try:
        return "client" in entry.value.decode().lower() or ":" not in entry.value.decode()
    except UnicodeDecodeError:
        return True


def _own(entries: tuple[KvEntry, ...]) -> Iterator[KvEntry]:
    """The entries under a policy's prefix; of thousands of routes none is looked at."""
    for prefix in (DRAIN, SERVICES, SETTINGS, TESTS, TLS, UPSTREAMS):
        at = bisect_left(entries, prefix, key=_key)
        while at < len(entries) and entries[at].key.startswith(prefix):
            if policy_prefix(entries[at].key) == prefix:
                yield entries[at]
            at += 1


def _sorted_out(
    entries: tuple[KvEntry, ...],
    parsed: Mapping[str, Parsed],
    in_force: Mapping[str, Written[Meaning]],
    problems: tuple[Problem, ...],
) -> Policies:
    settings: Written[MeshSettings] | None = None
    services: dict[str, Written[ServicePolicy]] = {}
    upstreams: dict[str, Written[Upstreams]] = {}
    drains: dict[str, Written[Drain]] = {}
    tests: dict[str, Written[RouteTest]] = {}
    tls: dict[str, Written[TlsSettings]] = {}
    for key, written in in_force.items():
        index = written.index
        match written.meaning:
            case MeshSettings() as meaning:
                settings = Written(key, index, meaning)
            case ServicePolicy() as meaning:
                services[key.removeprefix(SERVICES)] = Written(key, index, meaning)
            case Upstreams() as meaning:
                upstreams[key.removeprefix(UPSTREAMS)] = Written(key, index, meaning)
            case Drain() as meaning:
                drains[key] = Written(key, index, meaning)
            case RouteTest() as meaning:
                tests[key] = Written(key, index, meaning)
            case TlsSettings() as meaning:
                tls[key] = Written(key, index, meaning)
    return Policies(
        settings,
        services,
        upstreams,
        drains,
        tests,
        tls,
        problems=problems,
        entries=entries,
        parsed=parsed,
        in_force=in_force,
    )
