"""Random operations on a Consul, the same on each; what they and the questions after them answer, made comparable.

Ids, times and indexes differ between two servers: ids are named by where they came from, times left out, and of the
indexes only the order counts.
"""

import asyncio
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from yarl import URL

NO_SESSION = "00000000-0000-0000-0000-000000000000"
# Longer than any example takes; a watcher that sleeps through a change is found long before.
WAIT = "300s"
WAKE_SECONDS = 30.0
INDEX_FIELDS = frozenset({"CreateIndex", "ModifyIndex"})
OWN_FIELDS = frozenset({"CreatedAt", "UpdatedAt", "Hash"})
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Operation:
    """One request. In path and body `<s0>` is the session made last at slot 0, `<i:KEY>` a key's index."""

    method: str
    path: str
    body: Any = None
    slot: int | None = None
    """Where a session that is made here is kept."""


@dataclass(slots=True)
class Side:
    """One of the servers compared."""

    client: aiohttp.ClientSession
    address: str
    sessions: dict[int, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    """The name of each id that came up, in the order they did."""
    indexes: list[int] = field(default_factory=list)
    """Every index seen, in the order they were."""

    async def run(self, operation: Operation, space: str) -> tuple[int, Any]:
        """Status and comparable body."""
        body = operation.body
        if body is not None and not isinstance(body, str):
            body = json.dumps(body)
        path = await self._filled(operation.path, space)
        data = None if body is None else await self._filled(body, space)
        status, _, text = await self._call(operation.method, path, data)
        if operation.slot is not None and status == 200:
            self.sessions[operation.slot] = str(json.loads(text)["ID"])
        return status, self._comparable(text)

    async def ask(self, path: str) -> tuple[int, Any]:
        """A question's status and comparable body; its index is noted."""
        status, headers, text = await self._call("GET", path, None)
        self.indexes.append(int(headers.get("X-Consul-Index", 0)))
        return status, self._comparable(text)

    async def _filled(self, text: str, space: str) -> str:
        for slot in (0, 1):
            text = text.replace(f"<s{slot}>", self.sessions.get(slot, NO_SESSION))
        for key in re.findall(r"<i:([^>]*)>", text):
            _, _, found = await self._call("GET", f"/v1/kv/{space}{key}", None)
            index = json.loads(found)[0]["ModifyIndex"] if found else 0
            text = text.replace(f"<i:{key}>", str(index))
        return text

    async def _call(
        self, method: str, path: str, body: str | None
    ) -> tuple[int, Mapping[str, str], str]:
        url = URL(f"http://{self.address}{path}", encoded=True)
        async with self.client.request(method, url, data=body) as answer:
            return answer.status, answer.headers, await answer.text()

    def _comparable(self, text: str) -> Any:
        named = _UUID.sub(lambda found: self._name(found.group()), text)
        try:
            return self._stripped(json.loads(named))
        except ValueError:
            return re.sub(r"modify index \d+ != \d+", "modify index", named)

    def _name(self, found: str) -> str:
        return self.names.setdefault(found, f"id-{len(self.names)}")

    def _stripped(self, found: Any) -> Any:
        if isinstance(found, list):
            return [self._stripped(one) for one in sorted(found, key=_age)]
        if not isinstance(found, dict):
            return found
        self.indexes += [found[name] for name in sorted(INDEX_FIELDS & found.keys())]
        return {
            name: self._stripped(value)
            for name, value in found.items()
            if name not in INDEX_FIELDS | OWN_FIELDS
        }


@dataclass(slots=True)
class Watchers:
    """Waits on every question at once, as nodes do: what changes an answer must wake its watcher."""

    client: aiohttp.ClientSession
    address: str
    waiting: dict[str, asyncio.Task[int]] = field(default_factory=dict)
    last: dict[str, tuple[int, str]] = field(default_factory=dict)
    """The index and text of the answer waited upon."""

    async def watch(self, paths: Sequence[str]) -> None:
        """Asks anew where something is over. What was sent before this returns has arrived."""
        for path in paths:
            if path not in self.waiting:
                self.last[path] = await self._get(path)
                self.waiting[path] = asyncio.create_task(self._woken(path, self.last[path][0]))
        await asyncio.sleep(0)
        await self._get("/v1/session/list")

    async def check(self) -> None:
        """After a change: whose answer is another one is woken, and whoever was woken has a larger index.

        But for an answer whose index went back, which Consul sleeps through too: a tree deleted from above the prefix
        leaves it the tombstone of an earlier deletion.
        """
        for path, task in list(self.waiting.items()):
            index, text = self.last[path]
            newest, now = await self._get(path)
            is_news = now != text and newest > index
            if is_news or task.done():
                async with asyncio.timeout(WAKE_SECONDS):
                    assert await task > index, path
                del self.waiting[path]

    def close(self) -> None:
        for task in self.waiting.values():
            task.cancel()

    async def _woken(self, path: str, index: int) -> int:
        mark = "&" if "?" in path else "?"
        return (await self._get(f"{path}{mark}index={index}&wait={WAIT}"))[0]

    async def _get(self, path: str) -> tuple[int, str]:
        url = URL(f"http://{self.address}{path}", encoded=True)
        async with self.client.get(url) as answer:
            return int(answer.headers["X-Consul-Index"]), await answer.text()


def _age(found: Any) -> int:
    """Sessions are told in the order of their ids, which are random: here in that of their birth."""
    is_session = isinstance(found, dict) and "LockDelay" in found
    return int(found["CreateIndex"]) if is_session else 0


def order_of(indexes: Sequence[int]) -> list[int]:
    """The indexes by their rank: two servers agree if each pair is less, equal or greater on both."""
    ranks = {index: rank for rank, index in enumerate(sorted(set(indexes)))}
    return [ranks[index] for index in indexes]


def first_difference(one: Iterable[int], other: Iterable[int]) -> int | None:
    """Where two orders part."""
    pairs = enumerate(zip(one, other, strict=True))
    return next((place for place, (a, b) in pairs if a != b), None)
