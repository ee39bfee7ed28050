"""A check as an agent is asked to run it: read from a body, checked, brought into the API's form. Pure.

Durations are nanoseconds, as Consul's.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Self

from .body import Fields
from .durations import SECOND_NS, format_duration
from .errors import Refused
from .service_form import refuse_unknown

STATUSES = ("passing", "warning", "critical")
CHECK_FIELDS = frozenset(
    [
        "checkid",
        "id",
        "name",
        "status",
        "notes",
        "scriptargs",
        "args",
        "http",
        "header",
        "method",
        "body",
        "tcp",
        "udp",
        "interval",
        "aliasnode",
        "aliasservice",
        "dockercontainerid",
        "shell",
        "grpc",
        "grpcusetls",
        "h2ping",
        "h2pingusetls",
        "osservice",
        "tlsservername",
        "tlsskipverify",
        "tcpusetls",
        "timeout",
        "ttl",
        "deregistercriticalserviceafter",
        "successbeforepassing",
        "failuresbeforewarning",
        "failuresbeforecritical",
        "outputmaxsize",
        "disableredirects",
        "serviceid",
        "proxyhttp",
        "proxygrpc",
        "token",
        "namespace",
        "partition",
    ]
)
# What Consul's agent can run and this registry cannot.
_ABSENT = ("ScriptArgs", "Args", "UDP", "GRPC", "H2PING", "OSService", "DockerContainerID")
# No check is run more often, and none is given up on sooner, as in Consul.
MIN_INTERVAL_NS = SECOND_NS
MIN_DEREGISTER_NS = 60 * SECOND_NS
# So much of an answer is kept as the check's output; nobody reads more in a list.
OUTPUT_CHARACTERS = 4096


@dataclass(frozen=True, slots=True)
class Definition:
    """What is run for one check: exactly one of `ttl_ns`, `http`, `tcp`, `alias_node` or `alias_service` is set.

    The empty one runs nothing: a mark of maintenance.
    """

    ttl_ns: int = 0
    http: str = ""
    method: str = "GET"
    header: dict[str, list[str]] = field(default_factory=dict)
    body: str = ""
    is_following_redirects: bool = True
    is_verifying_tls: bool = True
    tls_server_name: str = ""
    tcp: str = ""
    is_tcp_with_tls: bool = False
    alias_node: str = ""
    alias_service: str = ""
    interval_ns: int = 0
    timeout_ns: int = 0
    success_before_passing: int = 0
    failures_before_warning: int = 0
    failures_before_critical: int = 0
    deregister_after_ns: int = 0
    """How long it may be critical before its service is deregistered; 0: for ever."""

    @property
    def type(self) -> str:
        if self.http:
            return "http"
        if self.ttl_ns:
            return "ttl"
        if self.tcp:
            return "tcp"
        return "alias" if self.alias_node or self.alias_service else "maintenance"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        return cls(**document)


@dataclass(frozen=True, slots=True)
class CheckForm:
    """One check of a registration. Empty texts are filled in by whoever registers it."""

    check_id: str
    name: str
    status: str
    notes: str
    service_id: str
    definition: Definition

    @classmethod
    def of(cls, fields: Fields) -> CheckForm:
        """ValueError with Go's words for a body of the wrong shape; Refused 501 for what cannot be run here."""
        refuse_unknown(fields, CHECK_FIELDS)
        absent = next((name for name in _ABSENT if fields.raw(name)), None)
        if absent:
            raise Refused(
                501,
                f"{absent} checks are not in the embedded registry: it has TTL, HTTP, TCP and alias checks; "
                "use a real Consul for it (meshnode dev --consul ADDR)",
            )
        return cls(
            fields.text("CheckID") or fields.text("ID"),
            fields.text("Name"),
            fields.text("Status"),
            fields.text("Notes"),
            fields.text("ServiceID"),
            _definition(fields),
        )

    def fault(self) -> str | None:
        """What is wrong with it, in Consul's words; None for nothing."""
        one = self.definition
        is_run, is_alias = bool(one.http or one.tcp), bool(one.alias_node or one.alias_service)
        if one.interval_ns > 0 and one.ttl_ns > 0:
            return "Interval and TTL cannot both be specified"
        if is_run and one.interval_ns <= 0:
            return "Interval must be > 0 for Script, HTTP, H2PING, TCP, UDP or OSService checks"
        if is_run and is_alias:
            return "Interval cannot be set for Alias checks"
        if is_alias and one.ttl_ns > 0:
            return "TTL must be not be set for Alias checks"
        if not is_run and not is_alias and one.ttl_ns <= 0:
            return "TTL must be > 0 for TTL checks"
        if one.failures_before_warning > one.failures_before_critical:
            return "FailuresBeforeWarning can't be higher than FailuresBeforeCritical"
        return None

    def document(
        self, node: str, check_id: str, name: str, *, is_of_service: bool
    ) -> dict[str, Any]:
        """The API's form without indexes, critical until it is known better."""
        one = self.definition
        interval, timeout = format_duration(one.interval_ns), format_duration(one.timeout_ns)
        return check_document(
            node,
            check_id,
            name,
            status=self.status or "critical",
            notes=self.notes,
            kind=one.type,
            interval="" if is_of_service and not one.interval_ns else interval,
            timeout="" if is_of_service and not one.timeout_ns else timeout,
        )


def check_document(
    node: str,
    check_id: str,
    name: str,
    *,
    status: str,
    notes: str = "",
    kind: str = "",
    interval: str = "",
    timeout: str = "",
) -> dict[str, Any]:
    """The API's form of a check without output and without a service."""
    return {
        "Node": node,
        "CheckID": check_id,
        "Name": name,
        "Status": status,
        "Notes": notes,
        "Output": "",
        "ServiceID": "",
        "ServiceName": "",
        "ServiceTags": [],
        "Type": kind,
        "Interval": interval,
        "Timeout": timeout,
        "ExposedPort": 0,
        "Definition": {},
    }


def _definition(fields: Fields) -> Definition:
    deregister_ns = fields.duration_ns("DeregisterCriticalServiceAfter") or 0
    header = fields.mapping("Header") or {}
    failures = fields.number("FailuresBeforeCritical")
    return Definition(
        ttl_ns=fields.duration_ns("TTL") or 0,
        http=fields.text("HTTP"),
        method=fields.text("Method") or "GET",
        header={name: Fields({name: header[name]}).texts(name) or [] for name in header},
        body=fields.text("Body"),
        is_following_redirects=not fields.flag("DisableRedirects"),
        is_verifying_tls=not fields.flag("TLSSkipVerify"),
        tls_server_name=fields.text("TLSServerName"),
        tcp=fields.text("TCP"),
        is_tcp_with_tls=fields.flag("TCPUseTLS"),
        alias_node=fields.text("AliasNode"),
        alias_service=fields.text("AliasService"),
        interval_ns=fields.duration_ns("Interval") or 0,
        timeout_ns=fields.duration_ns("Timeout") or 0,
        success_before_passing=fields.number("SuccessBeforePassing"),
        failures_before_warning=fields.number("FailuresBeforeWarning", failures),
        failures_before_critical=failures,
        deregister_after_ns=max(deregister_ns, MIN_DEREGISTER_NS) if deregister_ns > 0 else 0,
    )
