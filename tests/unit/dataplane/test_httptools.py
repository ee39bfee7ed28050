"""The proxy's HTTP/1.1 codec and httptools (Node's llhttp) read the same generated messages.

What both take they must take alike, to the byte. Where one takes what the other refuses the reason stands in the table
of disagreements, and every reason there is needed.
"""

from typing import Any

import httptools

from tests.unit.dataplane.messages import (
    Message,
    Understood,
    field_line,
    path,
    read_alike_or_refused,
)


class Listener:
    """The callbacks of httptools, gathering messages."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.heads = 0
        """How many heads are whole: those of all messages, or of all but the last."""
        self.whole = 0
        self.parser: Any = None

    def on_message_begin(self) -> None:
        self.messages.append(Message())

    def on_url(self, url: bytes) -> None:
        self.messages[-1].target += url.decode("latin1")

    def on_header(self, name: bytes, value: bytes) -> None:
        # Behind the head they are trailers, which it does not tell apart from the next message's fields.
        if self.heads < len(self.messages):
            # llhttp leaves the white space behind a value to its user.
            self.messages[-1].fields.append(field_line(name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        is_request = isinstance(self.parser, httptools.HttpRequestParser)
        message = self.messages[-1]
        self.heads = len(self.messages)
        message.start = (
            self.parser.get_method().decode() if is_request else str(self.parser.get_status_code())
        )
        message.target = path(message.target)

    def on_body(self, body: bytes) -> None:
        self.messages[-1].body += body

    def on_message_complete(self) -> None:
        self.whole = len(self.messages)


def test_what_httptools_reads_is_read_alike_or_refused() -> None:
    read_alike_or_refused("httptools", understood)


def understood(raw: bytes, kind: str, verdict: dict[str, Any]) -> Understood:
    """The whole messages httptools finds, and why it stopped."""
    listener = Listener()
    made = httptools.HttpRequestParser if kind == "request" else httptools.HttpResponseParser
    listener.parser = made(listener)
    error = ""
    try:
        listener.parser.feed_data(raw)
    except httptools.HttpParserError as raised:
        error = str(raised)
    # It is not told of the connection's end: a body that ends with it can't be whole.
    ends_with_connection = any(message["framing"] == "close" for message in verdict["messages"])
    count = listener.heads if ends_with_connection else listener.whole
    return Understood(listener.messages[:count], error)
