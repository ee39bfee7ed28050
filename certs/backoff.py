"""How long to wait between two tries: tenacity's exponential growth, with jitter of our own randomness. Waits for nothing."""

from __future__ import annotations

from random import Random

from tenacity import RetryCallState, wait_exponential


class Backoff:
    """Between half of and the whole of an exponentially growing time, so that nodes that failed together part.

    Times in seconds. Given to tenacity as `wait`; tenacity's own jitter takes the process's randomness, this one
    what it is handed.
    """

    def __init__(self, initial_s: float, max_s: float, random: Random) -> None:
        self._grows = wait_exponential(multiplier=initial_s, max=max_s)
        self._random = random

    def __call__(self, retry_state: RetryCallState) -> float:
        return self._grows(retry_state) * (1 - self._random.random() / 2)
