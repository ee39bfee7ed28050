"""The HTTP service the tests put into the mesh: says what reached it, and calls on if told to.

A program of its own that needs only Python's own library and reads nothing after its start, so that it may run as any
user. Answers every method and path with JSON: instance, method, path, headers (as pairs), body, client, uid, called.

    ?status=503 ?delay_ms=50 ?padding=1000    shape the answer
    header echo-call: URL[, URL …]            calls the first through --outbound, handing it the rest
    GET /health, PUT /health/503              what a Consul check asks, and how a test turns it

Calls carry traceparent, tracestate and baggage on, as a service must, and nothing else.
"""

import argparse
import encodings.idna  # noqa: F401  sockets load it late, when another user may not read it any more
import http.client
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

CARRIED = ("traceparent", "tracestate", "baggage")
CALL_HEADER = "echo-call"
CALL_SECONDS = 30.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instance", required=True, help="the name it answers with")
    parser.add_argument("--listen", required=True, metavar="ADDRESS:PORT")
    parser.add_argument(
        "--outbound",
        metavar="ADDRESS:PORT",
        help="where its calls connect to; the URL's host without it",
    )
    parser.add_argument("--call", metavar="URL", help="called on every request that names no other")
    parser.add_argument("--uid", type=int, help="the user it runs as")
    parser.add_argument(
        "--bind-first",
        action="store_true",
        help="bind as the starter, then become --uid, as daemons do",
    )
    options = parser.parse_args()
    if options.uid is not None and not options.bind_first:
        become(options.uid)
    server = Server(address(options.listen), Handler)
    if options.uid is not None and options.bind_first:
        become(options.uid)
    server.instance, server.default_call = options.instance, options.call
    server.outbound = address(options.outbound) if options.outbound else None
    server.serve_forever()


def become(uid: int) -> None:
    if uid != os.geteuid():
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)


def address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024
    instance = ""
    outbound: tuple[str, int] | None = None
    default_call: str | None = None
    health = 200

    def server_bind(self) -> None:
        """Without http.server's search for the machine's name."""
        TCPServer.server_bind(self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that went away is nothing to tell; anything else is."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def handle_one_request(self) -> None:
        """Any method at all, instead of one function for each."""
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline:
            self.close_connection = True
        elif self.parse_request():
            self.answer()

    def answer(self) -> None:
        body = self.read_body()
        path = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(path.query).items()}
        if path.path.startswith("/health"):
            self.health(path.path)
            return
        time.sleep(int(query.get("delay_ms", "0")) / 1000)  # the slowness a test asks for
        document = {
            "instance": self.server.instance,
            "method": self.command,
            "path": self.path,
            "headers": self.headers.items(),
            "body": body.decode(errors="replace"),
            "client": f"{self.client_address[0]}:{self.client_address[1]}",
            "uid": os.geteuid(),
            "called": self.call(),
            "padding": "x" * int(query.get("padding", "0")),
        }
        self.send(int(query.get("status", "200")), document)

    def health(self, path: str) -> None:
        if self.command == "PUT":
            self.server.health = int(path.rpartition("/")[2])
            self.send(200, {"health": self.server.health})
        else:
            self.send(self.server.health, {"health": self.server.health})

    def send(self, status: int, document: object) -> None:
        """Head and body in one write, so that no answer waits for an acknowledgement."""
        body = json.dumps(document).encode()
        lines = [
            f"HTTP/1.1 {status} {self.responses.get(status, ('',))[0]}",
            "content-type: application/json",
            f"content-length: {len(body)}",
            f"echo-instance: {self.server.instance}",
        ]
        head = "\r\n".join(lines).encode() + b"\r\n\r\n"
        self.wfile.write(head if self.command == "HEAD" else head + body)
        self.log_request(status)

    def call(self) -> dict[str, Any] | None:
        """Calls the next URL, and tells what came back."""
        urls = [
            url.strip()
            for url in self.headers.get(CALL_HEADER, self.server.default_call or "").split(",")
        ]
        if not urls[0]:
            return None
        target = urlsplit(urls[0])
        host, port = self.server.outbound or (target.hostname or "", target.port or 80)
        headers = {name: self.headers[name] for name in CARRIED if name in self.headers}
        headers["host"] = target.netloc
        if urls[1:]:
            headers[CALL_HEADER] = ", ".join(urls[1:])
        connection = http.client.HTTPConnection(host, port, timeout=CALL_SECONDS)
        try:
            path = (target.path or "/") + (f"?{target.query}" if target.query else "")
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            return {"url": urls[0], "error": f"{type(error).__name__}: {error}"}
        finally:
            connection.close()
        return {
            "url": urls[0],
            "status": response.status,
            "headers": response.getheaders(),
            "body": text,
        }

    def read_body(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", "0")))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline() not in (b"\r\n", b""):
            pass
        return b"".join(parts)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002  http.server's name
        """One line a request, flushed, for a failed test's output."""
        sys.stderr.write(f"{self.server.instance} {format % arguments}\n")


if __name__ == "__main__":
    main()
