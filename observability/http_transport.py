"""OTLP over HTTP/1.1 with protobuf bodies. Source: OTLP specification, OTLP/HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import gzip
import time

import aiohttp

from .errors import ExportError
from .otlp import OtlpSettings
from .transport import MAX_ANSWER_BYTES, USER_AGENT, Accepted, failed, read_answer, tls_context

# OTLP specification, "Retryable Response Codes"; every other error means that the batch will never be taken.
RETRYABLE_STATUS = frozenset({429, 502, 503, 504})
# Level 6 costs three times as much for a few percent on spans.
GZIP_LEVEL = 1


class HttpTransport:
    """Keeps one connection alive between batches."""

    def __init__(self, settings: OtlpSettings) -> None:
        """Raises OtlpSettingError when a TLS file cannot be used."""
        self._settings = settings
        self._tls = tls_context(settings) if settings.is_secure else None
        self._session: aiohttp.ClientSession | None = None

    async def send(self, batch: bytes) -> Accepted:
        settings = self._settings
        headers = {
            **dict(settings.headers),
            "content-type": "application/x-protobuf",
            "user-agent": USER_AGENT,
        }
        body = batch
        if settings.compression == "gzip":
            headers["content-encoding"] = "gzip"
            # Off the loop: megabytes take tens of milliseconds.
            body = await asyncio.to_thread(gzip.compress, batch, GZIP_LEVEL)
        try:
            async with self._open().post(
                settings.endpoint, data=body, headers=headers, allow_redirects=False
            ) as response:
                answer = await response.content.read(MAX_ANSWER_BYTES)
                return _judge(response, answer)
        except TimeoutError as error:
            raise failed(
                f"no answer from {settings.endpoint} within {settings.timeout_s:g} s",
                is_retryable=True,
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise failed(
                f"{settings.endpoint} is not reached: {str(error) or type(error).__name__}",
                is_retryable=True,
            ) from error

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            # No proxy and no cookies: a receiver is named outright.
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._settings.timeout_s),
                connector=aiohttp.TCPConnector(limit=1, ssl=self._tls or True),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=True,
            )
        return self._session


def _judge(response: aiohttp.ClientResponse, answer: bytes) -> Accepted:
    if 200 <= response.status < 300:
        return read_answer(answer)
    raise ExportError(
        f"{response.url} answers {response.status} {response.reason or ''}".strip(),
        is_retryable=response.status in RETRYABLE_STATUS,
        delay_s=retry_after_s(response.headers.get("retry-after", ""), time.time()),
    )


def retry_after_s(value: str, now: float) -> float | None:
    """Seconds from a Retry-After header, which is a number of them or a date (RFC 9110 §10.2.3); None without one."""
    if value.isascii() and value.isdigit():
        return float(value[:9])
    with contextlib.suppress(ValueError, TypeError):
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - now)
    return None
