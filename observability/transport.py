"""One try at handing a batch to a receiver, and what its answer means. Retries nothing, keeps nothing."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Protocol

from .errors import ExportError, OtlpSettingError
from .otlp import OtlpSettings

USER_AGENT = "meshnode-otlp-exporter/0.1.0"
# A receiver's answer is a few bytes; its error message is shown cut.
MAX_ANSWER_BYTES = 65_536
MAX_MESSAGE_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Accepted:
    """The receiver took the batch, but for `rejected_spans`; `message` is its reason, or a warning."""

    rejected_spans: int = 0
    message: str = ""


class Transport(Protocol):
    async def send(self, batch: bytes) -> Accepted:
        """One try. Raises ExportError."""

    async def close(self) -> None: ...


def read_answer(answer: bytes) -> Accepted:
    """What an ExportTraceServiceResponse says; a body that is none is taken for plain success."""
    # Protobuf's classes take a tenth of a second to load; commands that ship nothing start without them.
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # no types
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

    response = trace_service_pb2.ExportTraceServiceResponse()
    try:
        response.ParseFromString(answer)
    except DecodeError:
        return Accepted()
    partial = response.partial_success
    return Accepted(max(0, partial.rejected_spans), shown(partial.error_message))


def shown(text: str) -> str:
    """A receiver's words, short and on one line: they go into logs and terminals."""
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    return line[:MAX_MESSAGE_CHARACTERS].strip()


def tls_context(settings: OtlpSettings) -> ssl.SSLContext:
    """For HTTP. Raises OtlpSettingError when a file cannot be used."""
    try:
        context = ssl.create_default_context(
            cafile=str(settings.certificate) if settings.certificate else None
        )
    except (OSError, ssl.SSLError) as error:
        raise _file_error("OTEL_EXPORTER_OTLP_CERTIFICATE", settings.certificate, error) from error
    if settings.client_certificate and settings.client_key:
        try:
            context.load_cert_chain(settings.client_certificate, settings.client_key)
        except (OSError, ssl.SSLError) as error:
            variable = "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"
            raise _file_error(variable, settings.client_certificate, error) from error
    return context


def read_file(variable: str, path: object) -> bytes | None:
    """For gRPC, which wants contents. Raises OtlpSettingError."""
    if path is None:
        return None
    try:
        with open(str(path), "rb") as file:  # noqa: PTH123  (a Path that may be None)
            return file.read()
    except OSError as error:
        raise _file_error(variable, path, error) from error


def _file_error(variable: str, path: object, error: OSError) -> OtlpSettingError:
    return OtlpSettingError(variable, f"{path} cannot be used: {error.strerror or error}")


def failed(what: str, *, is_retryable: bool, delay_s: float | None = None) -> ExportError:
    return ExportError(shown(what), is_retryable=is_retryable, delay_s=delay_s)
