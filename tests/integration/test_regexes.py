"""Every regex that is taken from a key compiles in the proxy: one dialect, of which the agent reads a part."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from catalog import Snapshot, compile_snapshot, state_alone
from catalog.language.patterns import check_regex
from catalog.text import Mistake, Token
from meshnode.candidate.asking import ask
from meshnode.candidate.lone import lone_proxy
from tests.support.regexes import deep_of, large_of, regex_of

SEED = 4711
TAKEN = 1_000
"""Of each kind; with 8,000 and other seeds it held as well."""


async def test_what_is_taken_from_a_key_compiles_in_the_proxy() -> None:
    random = Random(SEED)
    taken = sorted({text for kind in (regex_of, deep_of, large_of) for text in some(kind, random)})
    alone = state_alone({"mesh/routes/a": b"{host: a.example, path: {regex: /x}, service: b}"})
    compiled = compile_snapshot(alone.state, alone.facts)
    route = compiled.resources["routes"]["a"]
    routes = {str(at): {**route, "path": {"regex": text}} for at, text in enumerate(taken)}
    table = Snapshot(1, compiled.digest, {**compiled.resources, "routes": routes})
    async with lone_proxy() as client:
        asked = await ask(client, table)
    assert [(taken[int(one.culprit.name)], one.sentence) for one in asked.refusals] == []


def some(kind: Callable[[Random], str], random: Random) -> set[str]:
    found: set[str] = set()
    while len(found) < TAKEN:
        text = kind(random)
        if is_taken(text):
            found.add(text)
    return found


def is_taken(text: str) -> bool:
    try:
        check_regex(Token(text, 1, 1, len(text)))
    except Mistake:
        return False
    return True
