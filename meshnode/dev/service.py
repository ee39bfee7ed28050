"""The shop's services, as small as a service can be: front calls cart, cart calls stock. Knows nothing of any mesh.

`python -m meshnode.dev.service`, told by DEMO_* variables what it is. All it has to do to be traced and allowed is to
call through its outbound port and to pass the header traceparent on. Imports nothing but the standard library.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# A call below that takes longer than a person waits.
CALL_TIMEOUT_S = 10.0
# Connections a proxy keeps but does not use; each is a thread here.
IDLE_TIMEOUT_S = 75.0
HEALTH_PATH = "/health"
# A service of the shop answers in JSON; the mesh itself in the form that stands first, so with a sentence.
ACCEPTED = "text/plain, application/json"
PASSED_ON = ("traceparent", "tracestate", "baggage")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a service of the shop says, and whom it calls for it; empty: nobody."""

    says: str
    calls: str = ""


KINDS: Mapping[str, Kind] = {
    "front": Kind("welcome to the shop", "cart"),
    "cart": Kind("2 lamps, 1 chair in the cart", "stock"),
    "cart-next": Kind("NEW CART: 2 lamps, 1 chair, and a voucher", "stock"),
    "stock": Kind("12 lamps, 3 chairs in stock"),
}


@dataclass(frozen=True, slots=True)
class Place:
    """One running service. `outbound` is `host:port` of its node's outbound port for it."""

    name: str
    kind: Kind
    node: str
    host: str
    port: int
    outbound: str

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Place:
        """DEMO_SERVICE, DEMO_LISTEN, DEMO_NODE, DEMO_OUTBOUND. Raises ValueError with a sentence."""
        name = environment.get("DEMO_SERVICE", "")
        if name not in KINDS:
            raise ValueError(f"DEMO_SERVICE is one of {', '.join(KINDS)}")
        host, _, port = environment.get("DEMO_LISTEN", "127.0.0.1:9000").rpartition(":")
        if not port.isdigit():
            raise ValueError("DEMO_LISTEN is address:port")
        outbound = environment.get("DEMO_OUTBOUND", "")
        if KINDS[name].calls and not outbound:
            raise ValueError(
                f"{name} calls {KINDS[name].calls}: DEMO_OUTBOUND is its outbound port"
            )
        node = environment.get("DEMO_NODE", "")
        return cls(name, KINDS[name], node, host, int(port), outbound)


@dataclass(frozen=True, slots=True)
class Below:
    """What came back from the service that was called."""

    status: int
    answer: Mapping[str, object]


class Server(ThreadingHTTPServer):
    """Its threads end with the process."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, place: Place) -> None:
        super().__init__((place.host, place.port), Handler)
        self.place = place


class Handler(BaseHTTPRequestHandler):
    """Answers every path alike; as text, or as JSON for who asks for that."""

    protocol_version = "HTTP/1.1"
    server_version = "meshnode-demo"
    sys_version = ""
    timeout = IDLE_TIMEOUT_S
    # Head and body are two writes: the second would wait 40 ms for the other side's delayed acknowledgement.
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:  # the library's name
        if self.path == HEALTH_PATH:
            self._send(HTTPStatus.OK, {"well": True}, is_json=True)
            return
        place = self.server.place
        answer: dict[str, object] = {"service": place.name, "node": place.node}
        status: int = HTTPStatus.OK
        answer["says"] = place.kind.says
        if place.kind.calls:
            below = call(
                place, {name: self.headers[name] for name in PASSED_ON if name in self.headers}
            )
            answer["below"] = below.answer
            if below.status != HTTPStatus.OK:
                status = below.status
                answer["says"] = f"{place.kind.calls} gave no answer"
        self._send(status, answer, is_json="json" in self.headers.get("accept", ""))

    do_HEAD = do_GET  # noqa: N815  (the library's name)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the library's name)
        """Nothing: what there is to see is in the traces."""

    def _send(self, status: int, answer: Mapping[str, object], *, is_json: bool) -> None:
        text = (
            json.dumps(answer, ensure_ascii=False, indent=2) + "\n" if is_json else as_text(answer)
        )
        body = text.encode()
        self.send_response(status)
        self.send_header(
            "content-type", "application/json" if is_json else "text/plain; charset=utf-8"
        )
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def call(place: Place, passed_on: Mapping[str, str]) -> Below:
    """GET http://<service>.mesh/ through the outbound port. Whatever goes wrong is an answer too."""
    connection = http.client.HTTPConnection(place.outbound, timeout=CALL_TIMEOUT_S)
    name = f"{place.kind.calls}.mesh"
    try:
        connection.request("GET", "/", headers={**passed_on, "host": name, "accept": ACCEPTED})
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        return Below(
            HTTPStatus.BAD_GATEWAY, {"error": f"http://{name}/ by {place.outbound}: {error}"}
        )
    finally:
        connection.close()
    return Below(response.status, _answer_of(response, body))


def as_text(answer: Mapping[str, object], depth: int = 0) -> str:
    """Who answered, a line each; whom it called stands below it."""
    before = "  " * depth
    if "service" not in answer:
        return f"{before}{answer.get('error', '')}\n"
    line = f"{before}{answer['service']} on {answer['node'] or 'its node'}: {answer['says']}\n"
    below = answer.get("below")
    return line + (as_text(below, depth + 1) if isinstance(below, Mapping) else "")


def _answer_of(response: http.client.HTTPResponse, body: bytes) -> Mapping[str, object]:
    """Another service's document; else what the mesh said in its place, with its reason."""
    text = body.decode(errors="replace").strip()
    if "json" in response.headers.get("content-type", ""):
        try:
            document = json.loads(text)
        except ValueError:
            document = None
        if isinstance(document, dict):
            return document
    return {"error": f"{response.status} {text}", "reason": response.headers.get("mesh-reason", "")}


def main() -> None:
    try:
        server = Server(Place.of(os.environ))
    except (ValueError, OSError) as error:
        sys.exit(f"the demo's service: {error}")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    main()
