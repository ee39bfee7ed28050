"""Asks nodes by their admin APIs: their last spans, what would become of requests. Believes nothing it can not read, changes nothing there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson

from observability import Trace

from ..errors import AdminError, UsageError

# An admin API is on this machine or on a private network: one that takes longer to connect to is behind a firewall.
CONNECT_S = 1.0
# For an answer, beside what it was asked to wait for news.
ANSWER_S = 4.0
# A plan is a whole compile, and thousands of requests asked twice.
PLAN_S = 30.0
# A whole ring is 16 MiB of spans, some three times that as JSON.
MAX_ANSWER_BYTES = 64 * 1024 * 1024
BAD_REQUEST = 400
FOREIGN = "what answers there is no meshnode of ours"


@dataclass(frozen=True, slots=True)
class NodeTraces:
    """What a node knows: its name (empty while it does not know itself) and its part of the traces, newest first.

    `sequence` is what to ask after for the next; `is_gapless` False: some that came before were left out.
    """

    node: str
    traces: tuple[Trace, ...]
    sequence: int = 0
    is_gapless: bool = True


class AdminClient:
    """`async with AdminClient() as nodes:`. Every call names the node by the `ip:port` of its admin API, and raises AdminError."""

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(sock_connect=CONNECT_S)
        self._session = aiohttp.ClientSession(timeout=timeout)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def newest(self, address: str, limit: int) -> NodeTraces:
        """The newest traces, each as whole as this node has it."""
        return await self._get(address, "/traces", {"limit": limit})

    async def after(
        self, address: str, sequence: int, *, wait_ms: int = 0, limit: int = 100
    ) -> NodeTraces:
        """The spans that came after `sequence`, by trace; waits for some as long as `wait_ms`."""
        query = {"after": sequence, "wait_ms": wait_ms, "limit": limit}
        return await self._get(address, "/traces", query, wait_ms / 1000)

    async def by_id(self, address: str, start: str) -> NodeTraces:
        """The traces whose id begins so; none where the node has none."""
        return await self._get(address, f"/traces/{start}", {})

    async def explain(self, address: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """What that node's proxy would do with `requests`; `document` and answer as in admin/explain.py.

        Raises UsageError where it refuses a request as none.
        """
        status, answer = await self._call("POST", address, "/explain", body=document)
        if status == BAD_REQUEST:
            raise UsageError(str(answer.get("error")))
        if "answers" not in answer:
            raise AdminError(address, str(answer.get("error", "it can not explain requests")))
        return answer

    async def plan(self, address: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """What would follow from keys on that node; `document` and answer as in admin/plan.py.

        Raises UsageError where it refuses a request as none.
        """
        status, answer = await self._call("POST", address, "/plan", body=document, wait_s=PLAN_S)
        if status == BAD_REQUEST:
            raise UsageError(str(answer.get("error")))
        if "keys" not in answer:
            raise AdminError(address, str(answer.get("error", "it can not plan")))
        return answer

    async def _get(
        self, address: str, path: str, query: Mapping[str, int], wait_s: float = 0.0
    ) -> NodeTraces:
        _, document = await self._call("GET", address, path, query=query, wait_s=wait_s)
        try:
            return _read(address, document)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise AdminError(address, FOREIGN) from error

    async def _call(
        self,
        method: str,
        address: str,
        path: str,
        *,
        query: Mapping[str, int] | None = None,
        body: Mapping[str, Any] | None = None,
        wait_s: float = 0.0,
    ) -> tuple[int, dict[str, Any]]:
        """Status and document."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_S + wait_s, sock_connect=CONNECT_S)
        data = None if body is None else orjson.dumps(body)
        headers = None if body is None else {"content-type": "application/json"}
        try:
            async with self._session.request(
                method, f"http://{address}{path}", params=query, data=data, headers=headers,
                timeout=timeout, allow_redirects=False,
            ) as response:  # fmt: skip
                if (response.content_length or 0) > MAX_ANSWER_BYTES:
                    raise AdminError(address, "its answer is too long")
                document = orjson.loads(await response.read())
        except TimeoutError as error:
            raise AdminError(address, "no answer in time") from error
        except (aiohttp.ClientError, OSError) as error:
            cause = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise AdminError(address, cause) from error
        except ValueError as error:
            raise AdminError(address, FOREIGN) from error
        if not isinstance(document, dict):
            raise AdminError(address, FOREIGN)
        return response.status, document


def _read(address: str, document: Any) -> NodeTraces:
    if "traces" not in document:
        raise AdminError(address, str(document.get("error", "it does not keep traces")))
    return NodeTraces(
        node=str(document["node"]),
        traces=tuple(map(Trace.from_json, document["traces"])),
        sequence=int(document.get("sequence", 0)),
        is_gapless=bool(document.get("is_gapless", True)),
    )
