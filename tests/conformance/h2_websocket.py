"""A WebSocket over HTTP/2 (RFC 8441) by another make: `h2` for the frames of HTTP/2, `wsproto` for those of WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import h2.events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.settings import SettingCodes
from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, Event, Message

TIMEOUT_SECONDS = 30.0


@dataclass(slots=True)
class Socket:
    """The client's end of one, on a connection of its own."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    http: H2Connection
    frames: Connection = field(default_factory=lambda: Connection(ConnectionType.CLIENT))
    announced: bool = False
    """Whether the other side said that it takes WebSockets."""
    stream: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    """Of the answer, once it came."""
    body: bytes = b""
    """Of an answer that began none."""
    is_over: bool = False
    """Whether the other side ended the stream, one way or the other."""

    @property
    def status(self) -> int:
        return int(self.headers.get(":status", "0"))

    async def ask(self, host: str, path: str, *more: tuple[str, str]) -> None:
        """Asks for a WebSocket and waits for the answer's head."""
        while not self.announced:
            await self._read()
        self.stream = self.http.get_next_available_stream_id()
        pseudo = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http")]
        pseudo += [(":authority", host), (":path", path), ("sec-websocket-version", "13")]
        self.http.send_headers(self.stream, [*pseudo, *more])
        await self._write()
        while not self.headers:
            await self._read()

    async def send(self, event: Event) -> None:
        """Sends one event, as fast as the windows let it."""
        data = self.frames.send(event)
        while data:
            most = self.http.local_flow_control_window(self.stream)
            most = min(most, self.http.max_outbound_frame_size, len(data))
            if most == 0:
                await self._read()
                continue
            self.http.send_data(self.stream, data[:most])
            data = data[most:]
            await self._write()

    async def message(self) -> str | bytes:
        """The next whole message."""
        pieces: list[str | bytes] = []
        while True:
            for event in self.frames.events():
                assert isinstance(event, Message), event
                pieces.append(event.data if isinstance(event.data, str) else bytes(event.data))
                if event.message_finished:
                    return "".join(pieces) if isinstance(pieces[0], str) else b"".join(pieces)  # type: ignore[arg-type]
            await self._read()

    async def close(self, code: int, reason: str) -> CloseConnection:
        """Closes it, and gives what the other side said to that."""
        await self.send(CloseConnection(code, reason))
        return await self.closed()

    async def closed(self) -> CloseConnection:
        """How the other side closes it."""
        while True:
            for event in self.frames.events():
                if isinstance(event, CloseConnection):
                    return event
            await self._read()

    async def ended(self) -> None:
        """Waits for the other side's end."""
        while not self.is_over:
            await self._read()

    async def _read(self) -> None:
        data = await asyncio.wait_for(self.reader.read(65_536), TIMEOUT_SECONDS)
        assert data, "the proxy closed the connection"
        for event in self.http.receive_data(data):
            self._take(event)
        await self._write()

    def _take(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.RemoteSettingsChanged():
                changed = event.changed_settings.get(SettingCodes.ENABLE_CONNECT_PROTOCOL)
                self.announced = changed is not None and changed.new_value == 1
            case h2.events.ResponseReceived():
                pairs = [(_text(name), _text(value)) for name, value in event.headers or []]
                self.headers = dict(pairs)
            case h2.events.DataReceived():
                data = event.data or b""
                length = event.flow_controlled_length or 0
                self.http.acknowledge_received_data(length, self.stream)
                if self.status == 200:
                    self.frames.receive_data(data)
                else:
                    self.body += data
            case h2.events.StreamEnded() | h2.events.StreamReset():
                self.is_over = True

    async def _write(self) -> None:
        self.writer.write(self.http.data_to_send())
        await self.writer.drain()


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode()


@asynccontextmanager
async def connected(host: str, port: int) -> AsyncIterator[Socket]:
    """A connection by prior knowledge, on which nothing was asked yet."""
    reader, writer = await asyncio.open_connection(host, port)
    http = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
    http.initiate_connection()
    socket = Socket(reader, writer, http)
    try:
        await socket._write()
        yield socket
    finally:
        writer.close()
        await writer.wait_closed()
