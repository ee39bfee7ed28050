"""One digest over many texts, in no order, that costs what changed: what a node has in force, and which keys those are.

The SHA-256 of all texts are sorted; those that begin with the same byte are hashed together, and the 256 results, in
order, once more. So that a text that comes or goes costs three hashes, one of them over 8 KiB, however many there are.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from hashlib import sha256

BUCKETS = 256
"""One for each first byte; of 10,000 texts a bucket has 40."""

_EMPTY = sha256().digest()


class Gathered:
    """The hashes of all texts. What is taken out must have been put in."""

    def __init__(self, texts: Iterable[bytes] = ()) -> None:
        self._buckets: list[list[bytes]] = [[] for _ in range(BUCKETS)]
        self._hashes = [_EMPTY] * BUCKETS
        self._stale: set[int] = set()
        for text in texts:
            self.put(text)

    def put(self, text: bytes) -> None:
        hashed = sha256(text).digest()
        insort(self._buckets[hashed[0]], hashed)
        self._stale.add(hashed[0])

    def take(self, text: bytes) -> None:
        hashed = sha256(text).digest()
        bucket = self._buckets[hashed[0]]
        at = bisect_left(bucket, hashed)
        assert bucket[at : at + 1] == [hashed]
        del bucket[at]
        self._stale.add(hashed[0])

    def digest(self) -> str:
        """`sha256:` and hex."""
        for number in self._stale:
            self._hashes[number] = sha256(b"".join(self._buckets[number])).digest()
        self._stale.clear()
        return "sha256:" + sha256(b"".join(self._hashes)).hexdigest()
