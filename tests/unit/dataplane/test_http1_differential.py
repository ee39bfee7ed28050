"""The proxy's HTTP/1.1 codec and httptools (Node's llhttp) read the same generated messages.

What both take they must take alike, to the byte. Where one takes what the other refuses the reason stands here, and
every reason here is needed. The messages are made by the Rust example `http1_verdict`, always the same ones.
"""

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httptools
import pytest

DATAPLANE = Path(__file__).parents[3] / "dataplane"
MESSAGES = 20_000

# We refuse, llhttp takes. The key is our rule, or "" where nothing is refused but the connection ends earlier.
STRICTER = {
    "": "Connection says both close and keep-alive: close counts here, the last one there",
    "bare_cr": "llhttp skips CR before a message",
    "chunk_extension_invalid": "llhttp takes an extension with = and no value",
    "chunk_size_too_large": "llhttp takes sixteen digits",
    "content_length_too_large": "llhttp takes what 64 bits hold",
    "expectation_unknown": "llhttp leaves Expect to its user",
    "framing_alias": "llhttp has no origins behind it that take _ for -",
    "host_invalid": "llhttp leaves Host to its user, whatever it says",
    "host_missing": "llhttp leaves Host to its user",
    "host_repeated": "llhttp leaves Host to its user, twice too",
    "informational_with_body": "llhttp reads no length of an interim answer: what follows is the next answer",
    "request_line_malformed": "llhttp skips spaces before the target",
    "status_line_malformed": "llhttp takes any byte in a reason, and empty lines before an answer",
    "target_authority": "llhttp takes user information in a target",
    "target_form": "llhttp takes any scheme, and a query without path",
    "target_fragment": "llhttp takes a fragment",
    "transfer_coding_unsupported": "llhttp leaves the other codings to its user",
    "transfer_encoding_in_http_1_0": "llhttp does not look at the version",
    "transfer_encoding_not_chunked": "llhttp passes over empty members of the list; in answers all else ends with the connection",
    "transfer_encoding_repeated": "llhttp looks at the last one only",
    "version_malformed": "llhttp skips spaces before the version",
    "version_unsupported": "llhttp takes HTTP/0.9 and HTTP/2.0",
}

# We take, llhttp refuses; the key is a part of its sentence. Nothing of framing may stand here but the second.
WIDER = {
    "ethod": "llhttp knows a list of methods; any token is one (RFC 9110 9.1)",
    "Invalid `Transfer-Encoding` header value": "we drop such a trailer, llhttp takes it for the head's",
}


@dataclass(slots=True)
class Message:
    """What httptools understood of one message."""

    start: str = ""
    url: bytes = b""
    fields: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    has_head: bool = False
    is_whole: bool = False


class Listener:
    """The callbacks of httptools, gathering messages."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.parser: Any = None

    def on_message_begin(self) -> None:
        self.messages.append(Message())

    def on_url(self, url: bytes) -> None:
        self.messages[-1].url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.messages[-1].has_head:
            # llhttp leaves the white space behind a value to its user.
            self.messages[-1].fields.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        is_request = isinstance(self.parser, httptools.HttpRequestParser)
        message = self.messages[-1]
        message.has_head = True
        message.start = (
            self.parser.get_method().decode() if is_request else str(self.parser.get_status_code())
        )

    def on_body(self, body: bytes) -> None:
        self.messages[-1].body += body

    def on_message_complete(self) -> None:
        self.messages[-1].is_whole = True


@pytest.fixture(scope="module")
def verdict_program() -> Path:
    """The Rust example, built (`cargo test` builds it too, so mostly nothing is left to do)."""
    asked = ["cargo", "build", "--locked", "--quiet", "--package", "meshnode-engine"]
    asked += ["--example", "http1_verdict", "--message-format", "json"]
    built = subprocess.run(asked, cwd=DATAPLANE, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    lines = [json.loads(line) for line in built.stdout.splitlines()]
    made = [Path(line["executable"]) for line in lines if line.get("executable")]
    return made[-1]


def test_what_httptools_reads_is_read_alike_or_refused(verdict_program: Path) -> None:
    reasons = compare(verdict_program, "request") + compare(verdict_program, "response")
    assert set(reasons) == {*STRICTER.values(), *WIDER.values()}, "every reason is needed"


def compare(program: Path, kind: str) -> Counter[str]:
    """Reads all messages of a kind both ways; how often each reason was needed."""
    reasons: Counter[str] = Counter()
    taken = 0
    for verdict in verdicts(program, kind):
        raw = bytes.fromhex(verdict["bytes"])
        theirs, error = understood(raw, kind, verdict)
        ours = verdict["messages"]
        for mine, other in zip(ours, theirs, strict=False):
            assert comparable(mine) == (other.start, path(other.url), other.fields, other.body), raw
        if len(theirs) > len(ours):
            reasons[reason_for_refusal(verdict["refused"] or "", raw)] += 1
        elif len(theirs) < len(ours):
            reasons[reason_for_taking(error, raw)] += 1
        else:
            taken += bool(ours)
    assert taken > MESSAGES // 3, "the generator makes mostly what one of the two refuses"
    return reasons


def verdicts(program: Path, kind: str) -> Iterator[dict[str, Any]]:
    asked = "".join(f"generated-{kind} {number}\n" for number in range(MESSAGES))
    told = subprocess.run([str(program)], input=asked, capture_output=True, text=True, check=True)
    return map(json.loads, told.stdout.splitlines())


def understood(raw: bytes, kind: str, verdict: dict[str, Any]) -> tuple[list[Message], str]:
    """The whole messages httptools finds, and why it stopped."""
    listener = Listener()
    made = httptools.HttpRequestParser if kind == "request" else httptools.HttpResponseParser
    listener.parser = made(listener)
    error = ""
    try:
        listener.parser.feed_data(raw)
    except httptools.HttpParserError as raised:
        error = str(raised)
    messages = [message for message in listener.messages if message.has_head]
    # It is not told of the connection's end: a body that ends with it can't be whole.
    ends_with_connection = any(message["framing"] == "close" for message in verdict["messages"])
    return [one for one in messages if one.is_whole or ends_with_connection], error


def comparable(message: dict[str, Any]) -> tuple[str, str, list[tuple[bytes, bytes]], bytes]:
    """One of our messages in the form of theirs."""
    start, target = [*message["start"], ""][:2]
    fields = [(name.encode("latin1"), value.encode("latin1")) for name, value in message["fields"]]
    return start, target, fields, bytes.fromhex(message["data"])


def path(url: bytes) -> str:
    """What is sent on of a target: httptools gives all of it."""
    text = url.decode("latin1")
    if text.lower().startswith(("http://", "https://")):
        return "/" + text.split("/", 3)[3]
    return text


def reason_for_refusal(rule: str, raw: bytes) -> str:
    assert rule in STRICTER, f"httptools takes what we refuse by {rule!r}: {raw!r}"
    return STRICTER[rule]


def reason_for_taking(error: str, raw: bytes) -> str:
    known = [reason for part, reason in WIDER.items() if part in error]
    assert known, f"we take what httptools refuses by {error!r}: {raw!r}"
    return known[0]
