"""The fields of each kind of document, for the published JSON Schema alone: what reads them is beside this file.

A test holds both to the same names.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from ..language.limits import BODY_MAX_BYTES, MEMORY_MAX_BYTES
from ..language.model import (
    Fields,
    HeaderFields,
    HttpsText,
    RequestLimitsFields,
    RetriesFields,
    Text,
    Time,
)

Retries = Annotated[
    RetriesFields,
    BeforeValidator(lambda value: value, json_schema_input_type=int | RetriesFields),
]


class SentOnFields(Fields):
    """How requests are sent on."""

    timeout: Time | None = None
    """The whole request."""
    timeout_head: Time | None = None
    """Until the answer's head is there."""
    timeout_idle: Time | None = None
    """Without a byte either way."""
    retries: Retries | None = None
    """How often a request is sent again, or all about it."""
    https: HttpsText | None = None
    """How clients are brought to TLS: off, redirect, redirect+hsts=365d."""
    request_headers: HeaderFields | None = None
    response_headers: HeaderFields | None = None


class InstanceTlsFields(Fields):
    """TLS towards instances."""

    server_name: Text
    """Whom their certificate is for."""
    authorities: Text | None = None
    """Who signed it, as PEM; left out: the authorities each machine believes."""


class ServiceFields(SentOnFields):
    """What holds for requests to one service where a route says nothing."""

    model_config = ConfigDict(title="meshnode service")

    protocol: Literal["http", "http2", "grpc", "tcp", "auto"] | None = None
    """What its instances speak; left out: HTTP/1.1. gRPC is HTTP/2. tcp: raw connections. auto: what their callers do."""
    balance: Literal["weighted_round_robin"] | None = None
    health: Literal["consul"] | None = None
    mtls: Literal["permissive"] | None = None
    warning: Literal["in", "out"] | None = None
    """Whether instances with a warning check get requests; left out: in."""
    tls: Text | InstanceTlsFields | None = None
    """That its instances end TLS, and whom their certificate is for; left out: they are spoken to in clear."""
    limits: RequestLimitsFields | None = None
    """Of the requests to it, counted by each node: of those it sends, and of those that come."""


class LimitFields(Fields):
    """What a node takes at most."""

    head_bytes: Annotated[int, Field(json_schema_extra={"minimum": 1024, "maximum": 65_536})] = 0
    headers: Annotated[int, Field(json_schema_extra={"minimum": 1, "maximum": 256})] = 0
    head_timeout: Time | None = None
    idle_timeout: Time | None = None
    body_idle_timeout: Time | None = None
    tunnel_idle_timeout: Time | None = None
    connect_timeout: Time | None = None
    detect_timeout: Time | None = None
    """How long a connection to a service with protocol: auto may say nothing before it is moved as it is: at most 10s; left out: 100ms."""
    connections: Annotated[int, Field(json_schema_extra={"minimum": 1, "maximum": 1_000_000})] = 0
    connections_per_client: Annotated[
        int, Field(json_schema_extra={"minimum": 1, "maximum": 1_000_000})
    ] = 0
    """Of one client's address, trusted proxies aside; left out: half of those that may be open."""
    tls_handshakes: Annotated[int, Field(json_schema_extra={"minimum": 1, "maximum": 100_000})] = 0
    """With clients at once, on each thread of the proxy; the oldest of the client with most of them gives way. Left out: 1024."""
    pool_idle_per_endpoint: Annotated[
        int, Field(json_schema_extra={"minimum": 0, "maximum": 10_000})
    ] = 0
    pool_idle_timeout: Time | None = None
    http2_streams: Annotated[int, Field(json_schema_extra={"minimum": 1, "maximum": 1000})] = 0
    http2_resets: Annotated[int, Field(json_schema_extra={"minimum": 1, "maximum": 200})] = 0
    http2_stream_window_bytes: Annotated[
        int, Field(json_schema_extra={"minimum": 1024, "maximum": 16_777_216})
    ] = 0
    http2_connection_window_bytes: Annotated[
        int, Field(json_schema_extra={"minimum": 65_535, "maximum": 16_777_216})
    ] = 0
    body_bytes: Annotated[
        int, Field(json_schema_extra={"minimum": 1, "maximum": BODY_MAX_BYTES})
    ] = 0
    """Of a request's body, where neither its route nor its service says so; left out: no bound."""
    overload_lag: Time | None = None
    """How late a thread of the proxy may come to what is due before connections and requests are shed; left out: 500ms."""
    overload_memory_bytes: Annotated[
        int, Field(json_schema_extra={"minimum": 1 << 20, "maximum": MEMORY_MAX_BYTES})
    ] = 0
    """Resident memory of the proxy, near which they are; left out: what its control group may have."""


class SettingsFields(SentOnFields):
    """What holds for the whole mesh where neither a route nor a service says otherwise."""

    model_config = ConfigDict(title="meshnode settings")

    trusted_clients: Text | list[Text] | None = None
    """Networks of those who are told more in errors; left out: this machine alone; an empty list: nobody."""
    strict_paths: bool | None = None
    """Refuses %2F, %5C and ; in paths."""
    limits: LimitFields | None = None


Port = Annotated[int, Field(json_schema_extra={"minimum": 1, "maximum": 65_535})]


class UpstreamsFields(Fields):
    """Where a service's own calls go, on its machines."""

    model_config = ConfigDict(title="meshnode upstreams", json_schema_extra={"minProperties": 1})

    port: Port = 0
    """Of calls that name whom they are for, as http://cart.mesh/; left out: one is given."""
    destinations: Annotated[
        dict[str, Port] | None, Field(json_schema_extra={"maxProperties": 64})
    ] = None
    """Ports that mean one service each, whatever host a call names: service and port."""


class DrainFields(Fields):
    """An instance that gets no new request; also written as a line: cart-1 on node-2 for 5m."""

    model_config = ConfigDict(title="meshnode drain")

    instance: Text
    """Its id in Consul."""
    node: Text | None = None
    service: Text | None = None
    for_: Time | None = Field(default=None, alias="for")
    """How long what runs there is given; nothing is cut off at its end."""


class ClientCertificatesFields(Fields):
    """What clients have to show."""

    mode: Literal["required", "optional"] = "required"
    authorities: Text
    """Certificates of authorities, in PEM: one that none of them signed is refused."""


class TlsFields(Fields):
    """TLS at the edge for one host."""

    model_config = ConfigDict(
        title="meshnode tls",
        json_schema_extra={"dependentRequired": {"certificate": ["key"], "key": ["certificate"]}},
    )

    certificate: Text | None = None
    """The host's certificate, then its issuers', in PEM."""
    key: Annotated[Text, Field(json_schema_extra={"pattern": "^\\s*sealed-"})] | None = None
    """Its key, as `meshnode tls put` seals it."""
    policy: Literal["modern", "intermediate"] | None = None
    client_certificates: ClientCertificatesFields | None = None
