"""Generated messages, what the proxy's HTTP/1.1 codec makes of them, and where another parser may differ from it.

The messages and verdicts are those of the Rust example `http1_verdict`, always the same ones.
"""

import json
import os
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

DATAPLANE = Path(__file__).parents[3] / "dataplane"
TABLE = DATAPLANE / "engine" / "tests" / "raw" / "disagreements.txt"
# In the quick gate; `make conformance` sets MESSAGES.
MESSAGES = 40_000
# So many need every reason there is.
ALL_MESSAGES = 1_000_000
KINDS = ("request", "response")
# Messages that are asked for and judged at once: their verdicts take some ten megabytes.
_SHARE = 10_000


@dataclass(slots=True)
class Message:
    """What a parser understood of one message."""

    start: str = ""
    """The method, or the status."""
    target: str = ""
    fields: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    trailers: list[tuple[bytes, bytes]] | None = None
    """None where the parser does not tell."""


@dataclass(frozen=True, slots=True)
class Understood:
    """What a parser made of the bytes of one connection."""

    messages: list[Message]
    """Those that are whole."""
    error: str = ""
    """Why it went no further, where it refused something."""


Reader = Callable[[bytes, str, dict[str, Any]], Understood]
"""A parser: it is given the bytes, `request` or `response`, and our verdict."""


@dataclass(slots=True)
class Tally:
    """How often a parser and the codec agreed, and how often each reason was needed where they did not."""

    alike: int = 0
    taken: int = 0
    """Of these, where both took a message."""
    reasons: Counter[str] = field(default_factory=Counter)


def read_alike_or_refused(parser: str, read: Reader) -> None:
    """Reads all messages both ways. What both take they must take alike, to the byte."""
    program = _verdict_program()
    count = int(os.environ.get("MESSAGES", MESSAGES))
    shares = [
        (kind, range(begin, min(begin + _SHARE, count // 2)))
        for kind in KINDS
        for begin in range(0, count // 2, _SHARE)
    ]
    whole = Tally()
    with ProcessPoolExecutor() as pool:
        for part in pool.map(partial(_compare, parser, read, program), shares):
            whole.alike += part.alike
            whole.taken += part.taken
            whole.reasons += part.reasons
    print(f"{whole.alike} of {count} alike, {whole.taken} of them taken", dict(whole.reasons))
    unused = {why for _, _, why in disagreements(parser)} - set(whole.reasons)
    assert count < ALL_MESSAGES or unused == set(), "nothing needs these reasons"
    assert whole.taken > count // 3, "the generator makes mostly what one of the two refuses"


@cache
def disagreements(parser: str) -> tuple[tuple[str, str, str], ...]:
    """The blocks of the table for a parser: what we refuse, what it refuses, and why that may stand."""
    found = []
    for block in TABLE.read_text().split("\n\n"):
        lines = [line for line in block.splitlines() if line and not line.startswith("#")]
        one = {line[:7].rstrip(): line[7:] for line in lines}
        if one.get("parser") == parser:
            assert one["rule"].startswith("RFC 9"), block
            found.append((one.get("refuse", ""), one.get("take", ""), one["why"]))
    return tuple(found)


def _compare(parser: str, read: Reader, program: Path, share: tuple[str, range]) -> Tally:
    kind, numbers = share
    tally = Tally()
    for verdict in _verdicts(program, kind, numbers):
        raw = bytes.fromhex(verdict["bytes"])
        theirs = read(raw, kind, verdict)
        ours = [_ours(message) for message in verdict["messages"]]
        for mine, other in zip(ours, theirs.messages, strict=False):
            assert _is_same(mine, other, verdict["head_only"]), raw
        if len(theirs.messages) > len(ours):
            tally.reasons[_why_refused(parser, verdict["refused"] or "-", raw)] += 1
        elif len(theirs.messages) < len(ours):
            tally.reasons[_why_taken(parser, theirs.error or "-", raw)] += 1
        else:
            tally.alike += 1
            tally.taken += bool(ours)
    return tally


def _why_refused(parser: str, rule: str, raw: bytes) -> str:
    known = [why for refuse, _, why in disagreements(parser) if refuse == rule]
    assert known, f"{parser} takes what we refuse by {rule!r}: {raw!r}"
    return known[0]


def _why_taken(parser: str, error: str, raw: bytes) -> str:
    known = [
        why
        for _, take, why in disagreements(parser)
        if take and (take == error or (take != "-" and take in error))
    ]
    assert known, f"we take what {parser} refuses by {error!r}: {raw!r}"
    return known[0]


def _ours(message: dict[str, Any]) -> Message:
    start, target = [*message["start"], ""][:2]
    fields, trailers = (
        [field_line(name.encode("latin1"), value.encode("latin1")) for name, value in message[key]]
        for key in ("fields", "trailers")
    )
    return Message(start, target, fields, bytes.fromhex(message["data"]), trailers)


def _is_same(mine: Message, other: Message, head_only: list[str]) -> bool:
    """What may be no trailer (RFC 9110 6.5.1) they leave to their user, and we drop it."""
    if other.trailers is None:
        return replace(mine, trailers=None) == other
    dropped = [name.encode("latin1") for name in head_only]
    kept = [one for one in other.trailers if one[0].lower() not in dropped]
    return mine == replace(other, trailers=kept)


def field_line(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    """A field in the one form all are compared in: codings have no case (RFC 9112 7), and h11 makes them small."""
    return name, value.lower() if name.lower() == b"transfer-encoding" else value


def path(target: str) -> str:
    """What is sent on of a target."""
    if target.lower().startswith(("http://", "https://")):
        return "/" + target.split("://", 1)[1].partition("/")[2]
    return target


@cache
def _verdict_program() -> Path:
    """The Rust example, built (`cargo test` builds it too, so mostly nothing is left to do)."""
    asked = ["cargo", "build", "--locked", "--quiet", "--package", "meshnode-engine"]
    asked += ["--example", "http1_verdict", "--message-format", "json"]
    built = subprocess.run(asked, cwd=DATAPLANE, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    lines = [json.loads(line) for line in built.stdout.splitlines()]
    made = [Path(line["executable"]) for line in lines if line.get("executable")]
    return made[-1]


def _verdicts(program: Path, kind: str, numbers: range) -> Iterator[dict[str, Any]]:
    asked = "".join(f"generated-{kind} {number}\n" for number in numbers)
    told = subprocess.run([str(program)], input=asked, capture_output=True, text=True, check=True)
    return map(json.loads, told.stdout.splitlines())
