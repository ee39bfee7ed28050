"""OTLP over gRPC: bytes that are encoded already, sent as they are. Source: OTLP specification, OTLP/gRPC.

The only file that knows grpcio.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc  # type: ignore[import-untyped]  # published without types
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # likewise
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # likewise

from .errors import ExportError, OtlpSettingError
from .otlp import OtlpSettings
from .transport import USER_AGENT, Accepted, failed, read_answer, read_file, shown

METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
# OTLP specification, "Failures"; RESOURCE_EXHAUSTED is one too, but only when the receiver says when to come back.
RETRYABLE_CODES = frozenset(
    {
        "CANCELLED",
        "DEADLINE_EXCEEDED",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNAVAILABLE",
        "DATA_LOSS",
    }
)


class GrpcTransport:
    """One channel, which connects by itself."""

    def __init__(self, settings: OtlpSettings) -> None:
        """Raises OtlpSettingError when a TLS file cannot be used. Needs a running event loop only to send."""
        self._settings = settings
        self._credentials = _credentials(settings) if settings.is_secure else None
        self._channel: Any = None
        self._export: Any = None

    async def send(self, batch: bytes) -> Accepted:
        settings = self._settings
        try:
            answer = await self._open()(
                batch, timeout=settings.timeout_s, metadata=tuple(settings.headers)
            )
        except grpc.aio.AioRpcError as error:
            raise _judge(settings, error) from error
        return read_answer(answer)

    async def close(self) -> None:
        if self._channel is not None:
            await self._channel.close()
            self._channel = self._export = None

    def _open(self) -> Any:
        if self._channel is None:
            gzip = self._settings.compression == "gzip"
            compression = grpc.Compression.Gzip if gzip else grpc.Compression.NoCompression
            options = [("grpc.primary_user_agent", USER_AGENT)]
            if self._credentials is None:
                self._channel = grpc.aio.insecure_channel(
                    self._settings.endpoint, options=options, compression=compression
                )
            else:
                self._channel = grpc.aio.secure_channel(
                    self._settings.endpoint,
                    self._credentials,
                    options=options,
                    compression=compression,
                )
            # No serializers: the batch is the message.
            self._export = self._channel.unary_unary(METHOD)
        return self._export


def _judge(settings: OtlpSettings, error: Any) -> ExportError:
    code = error.code().name
    delay_s = retry_delay_s(error.trailing_metadata() or ())
    is_retryable = code in RETRYABLE_CODES or (code == "RESOURCE_EXHAUSTED" and delay_s is not None)
    sentence = f"{settings.endpoint} answers {code}: {shown(error.details() or '')}"
    return failed(sentence, is_retryable=is_retryable, delay_s=delay_s)


def retry_delay_s(metadata: Sequence[tuple[str, bytes | str]]) -> float | None:
    """Seconds from the RetryInfo in an error's details; None without one."""
    for name, value in metadata:
        if name != "grpc-status-details-bin" or not isinstance(value, bytes):
            continue
        status, info = status_pb2.Status(), error_details_pb2.RetryInfo()
        try:
            status.ParseFromString(value)
            for detail in status.details:
                if detail.Is(info.DESCRIPTOR) and detail.Unpack(info):
                    delay = info.retry_delay
                    return max(0.0, float(delay.seconds + delay.nanos / 1e9))
        except DecodeError:
            return None
    return None


def _credentials(settings: OtlpSettings) -> Any:
    prefix = "OTEL_EXPORTER_OTLP_"
    roots = read_file(f"{prefix}CERTIFICATE", settings.certificate)
    key = read_file(f"{prefix}CLIENT_KEY", settings.client_key)
    certificate = read_file(f"{prefix}CLIENT_CERTIFICATE", settings.client_certificate)
    if roots is not None and b"-----BEGIN CERTIFICATE" not in roots:
        # grpcio takes it in silence, and then every handshake fails.
        raise OtlpSettingError(
            f"{prefix}CERTIFICATE", f"{settings.certificate} holds no PEM certificate"
        )
    return grpc.ssl_channel_credentials(roots, key, certificate)
