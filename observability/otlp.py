"""The standard OTEL_* settings, read once into values. Reads no environment by itself, opens nothing.

Source: OpenTelemetry specification, protocol/exporter.md and configuration/sdk-environment-variables.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from .errors import OtlpSettingError

Protocol = Literal["grpc", "http/protobuf"]
Compression = Literal["gzip", "none"]

HTTP_DEFAULT = "http://localhost:4318"
GRPC_DEFAULT = "http://localhost:4317"
TRACES_PATH = "v1/traces"
DEFAULT_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class OtlpSettings:
    """Where span batches go, and how. `is_enabled` False: nowhere, and nothing else matters.

    For http/protobuf `endpoint` is the whole URL. For grpc it is `host:port`, and `is_secure` says whether by TLS.
    """

    is_enabled: bool = True
    protocol: Protocol = "http/protobuf"
    endpoint: str = f"{HTTP_DEFAULT}/{TRACES_PATH}"
    is_secure: bool = False
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Lower-case names. In no repr: they carry API keys."""
    compression: Compression = "none"
    timeout_s: float = DEFAULT_TIMEOUT_S
    """For one try of one batch."""
    certificate: Path | None = None
    """PEM of the CAs to trust instead of the system's."""
    client_certificate: Path | None = None
    client_key: Path | None = None
    is_endpoint_given: bool = False
    """False: the endpoint is the specification's default, and perhaps nobody listens there on purpose."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> OtlpSettings:
        """The settings for traces: OTEL_EXPORTER_OTLP_TRACES_* before OTEL_EXPORTER_OTLP_*. Raises OtlpSettingError.

        An empty value is an unset one. OTEL_SDK_DISABLED=true and OTEL_TRACES_EXPORTER=none turn all off.
        """
        variables = _Variables(environment)
        if not _is_enabled(variables):
            return cls(is_enabled=False)
        protocol = _protocol(variables)
        endpoint, is_secure = _endpoint(variables, protocol)
        certificate, key = variables.path("CLIENT_CERTIFICATE"), variables.path("CLIENT_KEY")
        if (certificate is None) != (key is None):
            name = "CLIENT_KEY" if key is None else "CLIENT_CERTIFICATE"
            raise OtlpSettingError(
                f"OTEL_EXPORTER_OTLP_{name}", "a client certificate and its key are given together"
            )
        return cls(
            protocol=protocol,
            endpoint=endpoint,
            is_secure=is_secure,
            headers=_headers(variables),
            compression=_compression(variables),
            timeout_s=_timeout_s(variables),
            certificate=variables.path("CERTIFICATE"),
            client_certificate=certificate,
            client_key=key,
            is_endpoint_given=variables.get("ENDPOINT") is not None,
        )


@dataclass(frozen=True, slots=True)
class _Variables:
    environment: Mapping[str, str]

    def plain(self, name: str) -> str | None:
        return self.environment.get(name, "").strip() or None

    def find(self, name: str) -> tuple[str, str] | None:
        """The variable in force for traces, and its value."""
        for prefix in ("OTEL_EXPORTER_OTLP_TRACES_", "OTEL_EXPORTER_OTLP_"):
            value = self.plain(prefix + name)
            if value is not None:
                return prefix + name, value
        return None

    def get(self, name: str) -> str | None:
        found = self.find(name)
        return found[1] if found else None

    def path(self, name: str) -> Path | None:
        value = self.get(name)
        return Path(value) if value else None


def _is_enabled(variables: _Variables) -> bool:
    if (variables.plain("OTEL_SDK_DISABLED") or "").lower() == "true":
        return False
    exporter = variables.plain("OTEL_TRACES_EXPORTER") or "otlp"
    if exporter not in ("otlp", "none"):
        raise OtlpSettingError(
            "OTEL_TRACES_EXPORTER", f'"{exporter}" is not known here: otlp (the default) or none'
        )
    return exporter == "otlp"


def _protocol(variables: _Variables) -> Protocol:
    found = variables.find("PROTOCOL")
    if found is None or found[1] == "http/protobuf":
        return "http/protobuf"
    if found[1] == "grpc":
        return "grpc"
    raise OtlpSettingError(found[0], f'"{found[1]}" is not known here: http/protobuf or grpc')


def _endpoint(variables: _Variables, protocol: Protocol) -> tuple[str, bool]:
    found = variables.find("ENDPOINT")
    if protocol == "grpc":
        variable, value = found or ("", GRPC_DEFAULT)
        return _grpc_endpoint(variable, value, variables)
    variable, value = found or ("", HTTP_DEFAULT)
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise OtlpSettingError(
            variable, f'"{value}" is no URL that begins with http:// or https://'
        )
    # The variable for traces is taken as it is; only a URL with no path at all gets the root.
    below_base = f"{parts.path.rstrip('/')}/{TRACES_PATH}"
    path = (parts.path or "/") if "_TRACES_" in variable else below_base
    return parts._replace(path=path).geturl(), parts.scheme == "https"


def _grpc_endpoint(variable: str, value: str, variables: _Variables) -> tuple[str, bool]:
    """`host:port`; the scheme decides about TLS, and without one OTEL_EXPORTER_OTLP_INSECURE does."""
    parts = urlsplit(value if "://" in value else f"//{value}")
    try:
        port = parts.port
    except ValueError:
        port = -1
    if not parts.hostname or port == -1 or parts.scheme not in ("http", "https", ""):
        raise OtlpSettingError(variable, f'"{value}" is neither host:port nor http(s)://host:port')
    is_insecure = parts.scheme == "http" or (
        not parts.scheme and (variables.get("INSECURE") or "").lower() == "true"
    )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{host}:{port or (80 if is_insecure else 443)}", not is_insecure


def _headers(variables: _Variables) -> tuple[tuple[str, str], ...]:
    """W3C Baggage's list without properties: `name=value,name=value`, values percent-encoded."""
    found = variables.find("HEADERS")
    if found is None:
        return ()
    headers: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in found[1].split(","))):
        name, equals, value = pair.partition("=")
        name, value = unquote(name).strip().lower(), unquote(value).strip()
        if not equals or not name or not (name + value).isprintable() or not name.isascii():
            # Not the pair itself: it may be half of an API key.
            raise OtlpSettingError(found[0], "it is no list of name=value, divided by commas")
        headers[name] = value
    return tuple(sorted(headers.items()))


def _compression(variables: _Variables) -> Compression:
    found = variables.find("COMPRESSION")
    if found is None or found[1] == "none":
        return "none"
    if found[1] == "gzip":
        return "gzip"
    raise OtlpSettingError(found[0], f'"{found[1]}" is not known here: gzip or none')


def _timeout_s(variables: _Variables) -> float:
    """The variable counts milliseconds, as the specification has it for every duration."""
    found = variables.find("TIMEOUT")
    if found is None:
        return DEFAULT_TIMEOUT_S
    try:
        milliseconds = int(found[1])
    except ValueError:
        milliseconds = 0
    if milliseconds <= 0:
        raise OtlpSettingError(found[0], f'"{found[1]}" is no number of milliseconds above 0')
    return milliseconds / 1000
