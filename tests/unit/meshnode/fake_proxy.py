"""A small program that speaks docs/boundary.md on a Unix socket and serves nothing: what the agent's tests start as proxy.

`fake_proxy.py --control PATH`. Refuses a route whose host is `refused.test`, and the whole table where one is `broken.test`. A route named `spans` with host `N.test`
makes it answer one batch of N bytes. Its listeners open when the identity they name is there.

By its environment it speaks another protocol (FAKE_PROTOCOL), dies at once (FAKE_DIES) or as soon as it should say what it is
(FAKE_DIES_ASKED), or refuses to say it (FAKE_REFUSES).
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import signal
import ssl
import sys
import time
from pathlib import Path
from typing import Any

from aiohttp import web

PROTOCOL = int(os.environ.get("FAKE_PROTOCOL", "3"))


class FakeProxy:
    def __init__(self) -> None:
        self.generation = 0
        self.digest: str | None = None
        self.resources: dict[str, dict[str, Any]] = {}
        self.identities: dict[str, Any] = {}
        self.certificates: dict[str, str] = {}
        self.started = int(time.time() * 1000)
        self.calls: list[str] = []
        self.ended = asyncio.Event()

    def application(self) -> web.Application:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_get("/v1/version", self.version)
        app.router.add_put("/v1/snapshot", self.put_snapshot)
        app.router.add_get("/v1/snapshot", self.get_snapshot)
        app.router.add_put("/v1/identities/{name}", self.put_identity)
        app.router.add_delete("/v1/identities/{name}", self.delete_identity)
        app.router.add_put("/v1/certificates/{host}", self.put_certificate)
        app.router.add_delete("/v1/certificates/{host}", self.delete_certificate)
        app.router.add_put("/v1/ticket-keys", self.put_ticket_keys)
        app.router.add_get("/v1/stats", self.stats)
        app.router.add_get("/v1/spans", self.spans)
        app.router.add_post("/v1/explain", self.explain)
        app.router.add_post("/v1/drain", self.drain)
        app.router.add_get("/test/calls", self.get_calls)
        return app

    async def version(self, _: web.Request) -> web.Response:
        if os.environ.get("FAKE_DIES_ASKED"):
            os._exit(9)
        if os.environ.get("FAKE_REFUSES"):
            return web.json_response({"error": "no such path"}, status=404)
        return web.json_response(
            {
                "protocol": PROTOCOL,
                "version": "0.0.fake",
                "pid": os.getpid(),
                "generation": self.generation,
                "digest": self.digest,
                "started_unix_ms": self.started,
                "identities": sorted(self.identities),
            }
        )

    async def put_snapshot(self, request: web.Request) -> web.Response:
        document = await request.json()
        self.calls.append(f"snapshot {document['kind']} {document['generation']}")
        resources = self.applied(document)
        if resources is None:
            answer = {"error": "the delta's base is not in force", "digest": self.digest}
            return web.json_response(answer, status=409)
        for name, route in resources.get("routes", {}).items():
            if route["hosts"] == ["broken.test"]:
                return web.json_response({"error": "no room"}, status=503)
            if route["hosts"] == ["refused.test"]:
                answer = {"error": "no such host", "path": f"routes.{name}.host"}
                return web.json_response(answer, status=422)
        self.resources, self.digest = resources, document["digest"]
        self.generation = document["generation"]
        return web.json_response(
            {"generation": self.generation, "digest": self.digest, "listeners": self.listeners()}
        )

    def applied(self, document: dict[str, Any]) -> dict[str, dict[str, Any]] | None:
        """The resources by a full document or a delta; None where its base is not in force."""
        if document["kind"] == "full":
            found: dict[str, dict[str, Any]] = document["resources"]
            return found
        if document["base"] != self.digest:
            return None
        resources = {name: dict(collection) for name, collection in self.resources.items()}
        for name, collection in document["set"].items():
            resources.setdefault(name, {}).update(collection)
        for name, names in document["remove"].items():
            for one in names:
                resources[name].pop(one)
        return resources

    async def explain(self, request: web.Request) -> web.Response:
        """Knows hosts and prefixes, the longest first, then the older route, then the name."""
        document = await request.json()
        self.calls.append("explain")
        resources = self.resources
        if (snapshot := document.get("snapshot")) is not None:
            candidate = self.applied(snapshot)
            if candidate is None:
                answer = {"error": "the delta's base is not in force", "digest": self.digest}
                return web.json_response(answer, status=409)
            resources = candidate
        for at, one in enumerate(document["requests"]):
            if " " in one["path"]:
                answer = {"error": "no request line", "path": f"requests[{at}]"}
                return web.json_response(answer, status=422)
        routes = list(resources.get("routes", {}).items())
        answers = [
            explained(routes, one)
            for one in document["requests"]
            if one["host"] != "unanswered.test"
        ]
        return web.json_response({"generation": 1, "digest": self.digest, "answers": answers})

    async def get_snapshot(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "schema": 1,
                "kind": "full",
                "generation": self.generation,
                "digest": self.digest,
                "resources": self.resources,
                "listeners": self.listeners(),
            }
        )

    async def put_identity(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        self.calls.append(f"identity {name}")
        self.identities[name] = (await request.json())["not_after_unix_s"]
        return web.json_response({"name": name, "not_after_unix_s": self.identities[name]})

    async def delete_identity(self, request: web.Request) -> web.Response:
        self.calls.append(f"delete {request.match_info['name']}")
        self.identities.pop(request.match_info["name"], None)
        return web.json_response({})

    async def put_certificate(self, request: web.Request) -> web.Response:
        host, document = request.match_info["host"], await request.json()
        if "broken" in host:
            return web.json_response({"error": "it is broken"}, status=422)
        self.calls.append(f"certificate {host}")
        chain = document["certificate_chain_pem"]
        self.certificates[host] = hashlib.sha256(ssl.PEM_cert_to_DER_cert(chain)).hexdigest()
        return web.json_response({"host": host})

    async def delete_certificate(self, request: web.Request) -> web.Response:
        self.calls.append(f"no certificate {request.match_info['host']}")
        self.certificates.pop(request.match_info["host"], None)
        return web.json_response({})

    async def put_ticket_keys(self, request: web.Request) -> web.Response:
        self.calls.append(f"{len((await request.json())['keys'])} ticket keys")
        return web.json_response({})

    async def stats(self, _: web.Request) -> web.Response:
        identities = [{"name": n, "not_after_unix_s": t} for n, t in self.identities.items()]
        certificates = [{"host": h, "fingerprint": f} for h, f in self.certificates.items()]
        return web.json_response(
            {
                "identities": identities,
                "certificates": certificates,
                "listeners": self.listeners(),
            }
        )

    async def spans(self, request: web.Request) -> web.Response:
        route = self.resources.get("routes", {}).get("spans")
        if route is not None:
            body = b"s" * int(route["hosts"][0].split(".")[0])
            return web.Response(
                body=body, content_type="application/x-protobuf", headers={"spans": "3"}
            )
        await asyncio.sleep(min(int(request.query["wait_ms"]), 20) / 1000)
        return web.Response(status=204)

    async def drain(self, _: web.Request) -> web.Response:
        self.ended.set()
        return web.json_response({})

    async def get_calls(self, _: web.Request) -> web.Response:
        return web.json_response(self.calls)

    def listeners(self) -> dict[str, Any]:
        return {
            name: {
                "state": "open" if one["identity"] in (None, *self.identities) else "waiting",
                "address": one["address"],
                "error": None,
            }
            for name, one in self.resources.get("listeners", {}).items()
        }


def explained(routes: list[tuple[str, Any]], request: dict[str, Any]) -> dict[str, Any]:
    fit = [
        (name, route)
        for name, route in routes
        if request["host"] in route["hosts"]
        and f"{request['path']}/".startswith(f"{route['path']['prefix'].rstrip('/')}/")
    ]
    if not fit:
        own = {"status": 404, "reason": "no_route", "message": "no route takes it"}
        return {"route": None, "split": [], "cluster": None, "intention": None, "answer": own}
    name, route = min(
        fit, key=lambda one: (-len(one[1]["path"]["prefix"]), one[1]["index"], one[0])
    )
    split = route["action"].get("split", [])
    answer = route["action"].get("answer") or route["action"].get("redirect")
    return {
        "route": {"name": name, "key": route["key"], "index": route["index"], "pattern": ""},
        "split": split,
        "cluster": split[0]["cluster"] if split else None,
        "intention": None,
        "answer": answer and {"reason": "", "message": "", **answer},
    }


async def serve(path: str) -> None:
    proxy = FakeProxy()
    runner = web.AppRunner(proxy.application(), access_log=None)
    await runner.setup()
    await web.UnixSite(runner, path).start()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, proxy.ended.set)
    await proxy.ended.wait()
    await asyncio.sleep(0.02)
    await runner.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--control", required=True)
    parser.add_argument("--threads")
    parser.add_argument("--log")
    arguments = parser.parse_args()
    if os.environ.get("FAKE_DIES"):
        print(json.dumps("dies at once"), file=sys.stderr)  # noqa: T201
        sys.exit(9)
    Path(arguments.control).unlink(missing_ok=True)
    asyncio.run(serve(arguments.control))


if __name__ == "__main__":
    main()
