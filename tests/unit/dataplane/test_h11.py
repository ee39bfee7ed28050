"""The proxy's HTTP/1.1 codec and h11 (what httpx and uvicorn read by) read the same generated messages.

What both take they must take alike, to the byte. Where one takes what the other refuses the reason stands in the table
of disagreements, and every reason there is needed.
"""

from typing import Any

import h11

from tests.unit.dataplane.messages import (
    Message,
    Understood,
    field_line,
    path,
    read_alike_or_refused,
)


def test_what_h11_reads_is_read_alike_or_refused() -> None:
    read_alike_or_refused("h11", understood)


def understood(raw: bytes, kind: str, _: dict[str, Any]) -> Understood:
    """The whole messages h11 finds, and why it stopped."""
    messages: list[Message] = []
    reader = h11.Connection(h11.SERVER if kind == "request" else h11.CLIENT)
    try:
        if kind == "response":
            reader.send(h11.Request(method="GET", target="/", headers=[("host", "a")]))
            reader.send(h11.EndOfMessage())
        reader.receive_data(raw)
        reader.receive_data(b"")
        while message := _next(reader):
            messages.append(message)
            if kind == "response":
                if message.start.startswith("1"):
                    continue
                break
            if reader.their_state is not h11.DONE:
                return Understood(messages, str(reader.their_state))
            reader.send(h11.Response(status_code=204, headers=[]))
            reader.send(h11.EndOfMessage())
            reader.start_next_cycle()
    except h11.RemoteProtocolError as raised:
        return Understood(messages, str(raised))
    return Understood(messages)


def _next(reader: h11.Connection) -> Message | None:
    """The next whole message; none where the bytes end before it does."""
    message: Message | None = None
    while True:
        event = reader.next_event()
        match event:
            case h11.Request():
                target = path(event.target.decode("latin1"))
                message = Message(event.method.decode(), target, _fields(event.headers))
            case h11.InformationalResponse():
                return Message(str(event.status_code), "", _fields(event.headers), trailers=[])
            case h11.Response():
                message = Message(str(event.status_code), "", _fields(event.headers))
            case h11.Data():
                assert message is not None
                message.body += bytes(event.data)
            case h11.EndOfMessage():
                assert message is not None
                message.trailers = _fields(event.headers)
                return message
            case _:
                return None


def _fields(headers: Any) -> list[tuple[bytes, bytes]]:
    return [field_line(bytes(name), bytes(value)) for name, value in headers.raw_items()]
