"""Shipping to receivers that take, refuse, ask for patience, vanish and hang; over HTTP and gRPC alike."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from google.protobuf import any_pb2  # type: ignore[import-untyped]
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]

from observability import OtlpSettingError, OtlpSettings, RetryPolicy, SpanShipper
from observability.buffer import SpanBuffer
from observability.grpc_transport import RETRYABLE_CODES
from observability.http_transport import retry_after_s
from tests.support import free_port, wait_until
from tests.unit.observability.receivers import (
    Receiver,
    batch,
    grpc_receiver,
    http_receiver,
    partial_success,
)

QUICK = RetryPolicy(attempts=4, initial_s=0.01, max_s=0.05, total_s=5)
Open = Callable[[], AbstractAsyncContextManager[Receiver]]
BOTH = pytest.mark.parametrize(
    ("open_receiver", "protocol"),
    [(http_receiver, "http/protobuf"), (grpc_receiver, "grpc")],
    ids=["http", "grpc"],
)


def settings(endpoint: str, protocol: str = "http/protobuf", **more: str) -> OtlpSettings:
    values = {"ENDPOINT": endpoint, "PROTOCOL": protocol, "TIMEOUT": "2000", **more}
    return OtlpSettings.from_environment({f"OTEL_EXPORTER_OTLP_{n}": v for n, v in values.items()})


@contextlib.asynccontextmanager
async def shipping(made: OtlpSettings, **options: Any) -> AsyncIterator[SpanShipper]:
    shipper = SpanShipper(made, **{"policy": QUICK, **options})
    task = asyncio.create_task(shipper.run())
    try:
        yield shipper
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await shipper.close(0.5)


def settled(shipper: SpanShipper) -> bool:
    c = shipper.counters
    return c.offered_spans == c.sent_spans + c.rejected_spans + c.dropped_spans > 0


@BOTH
async def test_batches_arrive_as_they_are(open_receiver: Open, protocol: str) -> None:
    async with open_receiver() as receiver:
        made = settings(receiver.endpoint, protocol, HEADERS="api-key=s%20e")
        async with shipping(made) as shipper:
            shipper.offer(batch("a", "b"), 2)
            await wait_until(lambda: settled(shipper))
            shipper.offer(batch("c"), 1)
            await wait_until(lambda: settled(shipper) and len(receiver.bodies) == 2)
        assert receiver.bodies == [batch("a", "b"), batch("c")]
        assert shipper.counters.sent_spans == 3
        assert all(one["api-key"] == "s e" for one in receiver.headers)
        assert all("meshnode" in one["user-agent"] for one in receiver.headers)
        assert shipper.failure is None


@BOTH
async def test_compressed_batches_arrive(open_receiver: Open, protocol: str) -> None:
    async with open_receiver() as receiver:
        made = settings(receiver.endpoint, protocol, COMPRESSION="gzip")
        async with shipping(made) as shipper:
            shipper.offer(batch(*["name"] * 1000), 1000)
            await wait_until(lambda: settled(shipper))
        assert receiver.bodies == [batch(*["name"] * 1000)]
        if protocol == "http/protobuf":
            assert receiver.headers[0]["content-encoding"] == "gzip"
            assert int(receiver.headers[0]["content-length"]) < len(receiver.bodies[0]) / 5
            assert receiver.headers[0]["content-type"] == "application/x-protobuf"


@BOTH
async def test_a_burst_is_joined(open_receiver: Open, protocol: str) -> None:
    async with open_receiver() as receiver:
        async with shipping(settings(receiver.endpoint, protocol)) as shipper:
            for at in range(500):
                shipper.offer(batch(str(at)), 1)
            await wait_until(lambda: settled(shipper))
        assert receiver.names == [str(at) for at in range(500)]
        assert len(receiver.bodies) < 5


@BOTH
async def test_a_partial_success_counts_and_is_not_repeated(
    open_receiver: Open, protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with open_receiver() as receiver:
        receiver.answers = [partial_success(2, "two \x1b[31mare bad\n")]
        async with shipping(settings(receiver.endpoint, protocol)) as shipper:
            shipper.offer(batch("a", "b", "c"), 3)
            await wait_until(lambda: settled(shipper))
        assert (shipper.counters.sent_spans, shipper.counters.rejected_spans) == (1, 2)
        assert len(receiver.bodies) == 1
        assert "two  [31mare bad (2 rejected)" in caplog.text


def retry_info(delay_s: float) -> tuple[tuple[str, bytes], ...]:
    info = error_details_pb2.RetryInfo()
    info.retry_delay.FromMilliseconds(int(delay_s * 1000))
    detail = any_pb2.Any()
    detail.Pack(info)
    status = status_pb2.Status(code=8, message="later", details=[detail])
    return (("grpc-status-details-bin", status.SerializeToString()),)


def code(name: str) -> Any:
    return (getattr(grpc.StatusCode, name), "no", ())


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_http_answers_that_ask_for_another_try(status: int) -> None:
    async with http_receiver() as receiver:
        receiver.answers = [(status, {}, b""), None]
        async with shipping(settings(receiver.endpoint)) as shipper:
            shipper.offer(batch("a"), 1)
            await wait_until(lambda: settled(shipper))
        assert receiver.names == ["a"]
        assert (shipper.counters.sent_spans, shipper.counters.failed_tries) == (1, 1)


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 413, 500, 501])
async def test_http_answers_that_are_final(status: int) -> None:
    async with http_receiver() as receiver:
        receiver.answers = [(status, {"location": "/elsewhere"}, b"")]
        async with shipping(settings(receiver.endpoint)) as shipper:
            shipper.offer(batch("a"), 1)
            await wait_until(lambda: settled(shipper))
            assert str(status) in str(shipper.failure)
        assert shipper.counters.rejected_spans == 1
        assert len(receiver.headers) == 1


@pytest.mark.parametrize("name", sorted(RETRYABLE_CODES))
async def test_grpc_codes_that_ask_for_another_try(name: str) -> None:
    async with grpc_receiver() as receiver:
        receiver.answers = [code(name), None]
        async with shipping(settings(receiver.endpoint, "grpc")) as shipper:
            shipper.offer(batch("a"), 1)
            await wait_until(lambda: settled(shipper))
        assert receiver.names == ["a"]


@pytest.mark.parametrize(
    "name",
    ["INVALID_ARGUMENT", "UNAUTHENTICATED", "UNIMPLEMENTED", "INTERNAL", "RESOURCE_EXHAUSTED"],
)
async def test_grpc_codes_that_are_final(name: str) -> None:
    async with grpc_receiver() as receiver:
        receiver.answers = [code(name)]
        async with shipping(settings(receiver.endpoint, "grpc")) as shipper:
            shipper.offer(batch("a"), 1)
            await wait_until(lambda: settled(shipper))
            assert name in str(shipper.failure)
        assert shipper.counters.rejected_spans == 1
        assert len(receiver.headers) == 1


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
async def test_a_receiver_s_wish_for_a_pause_is_obeyed(protocol: str) -> None:
    is_grpc = protocol == "grpc"
    async with (grpc_receiver if is_grpc else http_receiver)() as receiver:
        later: Any = (grpc.StatusCode.RESOURCE_EXHAUSTED, "later", retry_info(1))
        receiver.answers = [later if is_grpc else (429, {"retry-after": "1"}, b""), None]
        began = time.monotonic()
        async with shipping(settings(receiver.endpoint, protocol)) as shipper:
            shipper.offer(batch("a"), 1)
            await wait_until(lambda: settled(shipper))
        assert receiver.names == ["a"]
        assert time.monotonic() - began >= 1.0


@BOTH
async def test_tries_are_bounded_and_the_next_message_goes_on(
    open_receiver: Open, protocol: str
) -> None:
    async with open_receiver() as receiver:
        failing = (503, {}, b"") if protocol != "grpc" else code("UNAVAILABLE")
        receiver.answers = [failing] * QUICK.attempts + [None]
        async with shipping(settings(receiver.endpoint, protocol)) as shipper:
            shipper.offer(batch("lost"), 1)
            await wait_until(lambda: settled(shipper))
            assert shipper.counters.dropped_spans == 1
            shipper.offer(batch("next"), 1)
            await wait_until(lambda: settled(shipper))
        assert receiver.names == ["next"]
        assert shipper.counters.failed_tries == QUICK.attempts


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
async def test_a_receiver_that_comes_later_gets_what_was_kept(protocol: str) -> None:
    port = free_port("127.0.0.1")
    made = settings(f"http://127.0.0.1:{port}", protocol)
    policy = RetryPolicy(attempts=1000, initial_s=0.05, max_s=0.1, total_s=30)
    async with shipping(made, policy=policy) as shipper:
        shipper.offer(batch("early"), 1)
        await wait_until(lambda: shipper.failure)
        arrived: list[bytes] = []

        async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            arrived.append(await reader.read(64))
            writer.close()

        server = await asyncio.start_server(take, "127.0.0.1", port)
        try:
            await wait_until(lambda: arrived, 20)
        finally:
            server.close()
            await server.wait_closed()


@BOTH
async def test_a_hanging_receiver_holds_nobody_and_drops_are_counted(
    open_receiver: Open, protocol: str
) -> None:
    async with open_receiver() as receiver:
        receiver.is_hanging = True
        made = settings(receiver.endpoint, protocol, TIMEOUT="200")
        buffer = SpanBuffer(max_bytes=10_000)
        async with shipping(made, buffer=buffer) as shipper:
            # `offer` is no coroutine: it has nothing to wait with.
            for at in range(5000):
                shipper.offer(batch(str(at)), 1)
            assert shipper.counters.queued_bytes <= 10_000
            assert shipper.counters.dropped_spans > 4000
            await wait_until(lambda: shipper.failure)
            receiver.is_hanging = False
            await wait_until(lambda: settled(shipper), 20)
            assert "4999" in receiver.names, "the newest arrive"
            assert shipper.failure is None


async def test_one_sentence_for_a_receiver_that_is_not_there(
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = settings(f"http://127.0.0.1:{free_port('127.0.0.1')}")
    async with shipping(made) as shipper:
        for _ in range(3):
            shipper.offer(batch("a"), 1)
            await wait_until(lambda: settled(shipper))
    warnings = [one for one in caplog.records if one.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert "spans are kept back" in warnings[0].getMessage()
    assert shipper.counters.dropped_spans == 3


async def test_the_default_receiver_s_absence_says_how_to_turn_it_off(
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = OtlpSettings(endpoint=f"http://127.0.0.1:{free_port('127.0.0.1')}/v1/traces")
    async with shipping(made) as shipper:
        shipper.offer(batch("a"), 1)
        await wait_until(lambda: settled(shipper))
    assert "OTEL_TRACES_EXPORTER=none" in caplog.text


async def test_what_waits_at_the_end_is_sent_once() -> None:
    async with http_receiver() as receiver:
        shipper = SpanShipper(settings(receiver.endpoint))
        shipper.offer(batch("last"), 1)
        await shipper.close()
        assert receiver.names == ["last"]
        assert settled(shipper)
        shipper.offer(batch("too late"), 1)
        assert shipper.counters.offered_spans == 1


@BOTH
async def test_the_end_does_not_wait_for_a_hanging_receiver(
    open_receiver: Open, protocol: str
) -> None:
    async with open_receiver() as receiver:
        receiver.is_hanging = True
        shipper = SpanShipper(settings(receiver.endpoint, protocol))
        shipper.offer(batch("a", "b"), 2)
        await asyncio.wait_for(shipper.close(0.2), 30)
        assert shipper.counters.dropped_spans == 2


async def test_a_message_under_way_at_the_end_is_counted() -> None:
    async with http_receiver() as receiver:
        receiver.is_hanging = True
        shipper = SpanShipper(settings(receiver.endpoint))
        task = asyncio.create_task(shipper.run())
        shipper.offer(batch("a"), 1)
        await wait_until(lambda: receiver.headers)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await shipper.close(0.1)
        assert settled(shipper)


async def test_turned_off_it_takes_nothing() -> None:
    shipper = SpanShipper(OtlpSettings(is_enabled=False))
    shipper.offer(batch("a"), 1)
    await shipper.run()
    await shipper.close()
    assert not shipper.is_enabled
    assert shipper.counters.offered_spans == 0


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for localhost that is its own CA, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, key_pem = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return pem, key_pem


async def test_tls_with_a_ca_of_one_s_own_and_a_client_certificate(tmp_path: Path) -> None:
    pem, key = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    context.load_verify_locations(pem)
    context.verify_mode = ssl.CERT_REQUIRED
    client = {"CLIENT_CERTIFICATE": str(pem), "CLIENT_KEY": str(key)}
    async with http_receiver(context) as receiver:
        made = settings(receiver.endpoint, CERTIFICATE=str(pem), **client)
        async with shipping(made) as shipper:
            shipper.offer(batch("a"), 1)
            await wait_until(lambda: settled(shipper))
            assert receiver.names == ["a"]
        async with shipping(settings(receiver.endpoint)) as shipper:
            shipper.offer(batch("b"), 1)
            await wait_until(lambda: settled(shipper))
            assert receiver.names == ["a"], "an unknown CA is not trusted"


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
@pytest.mark.parametrize("content", [None, b"garbage"])
def test_a_tls_file_that_cannot_be_used_is_named(
    tmp_path: Path, protocol: str, content: bytes | None
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(OtlpSettingError, match=f"CERTIFICATE: {path}"):
        SpanShipper(settings("https://localhost:1", protocol, CERTIFICATE=str(path)))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("", None),
        ("7", 7.0),
        ("-7", None),
        ("soon", None),
        ("\u0667", None),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 90.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("9" * 400, 999_999_999.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert retry_after_s(value, now=10.0) == seconds
