"""What holds for every path: methods, redirections, what is not there, how answers look."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from yarl import URL

from tests.contract.subject import Subject, head_of

NOTHING_READ = {
    "x-consul-index": "1",
    "x-consul-knownleader": "false",
    "x-consul-lastcontact": "0",
    "x-consul-query-backend": "blocking-query",
}


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/kv/a", "OPTIONS,GET,PUT,DELETE"),
        ("/v1/session/create", "OPTIONS,PUT"),
        ("/v1/txn", "OPTIONS,PUT"),
        ("/v1/status/leader", "OPTIONS,GET"),
    ],
)
async def test_methods(consul: Subject, path: str, allowed: str) -> None:
    refused = await consul.call("PATCH", path)
    assert (refused.status, refused.text) == (405, "method PATCH not allowed")
    assert head_of(refused)["allow"] == allowed
    asked = await consul.call("OPTIONS", path)
    assert (asked.status, head_of(asked)["allow"]) == (200, allowed)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/v1/nothing", "Invalid URL path: not a recognized HTTP API endpoint\n"),
        (
            "/kv/a",
            "Invalid URL path: if attempting to use the HTTP API, ensure the path starts with '/v1/'\n",
        ),
    ],
)
async def test_an_unknown_path_is_404(consul: Subject, path: str, text: str) -> None:
    answer = await consul.call("GET", path)
    assert (answer.status, answer.text) == (404, text)


@pytest.mark.parametrize(
    ("path", "onward"),
    [
        ("/v1/kv/a//b", "/v1/kv/a/b"),
        ("/v1/kv/a//b?recurse", "/v1/kv/a/b?recurse"),
        ("/v1//kv/a/", "/v1/kv/a/"),
        ("/v1/kv?keys", "/v1/kv/?keys"),
    ],
)
async def test_a_path_that_is_not_clean_is_sent_on(consul: Subject, path: str, onward: str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.put(
            f"http://{consul.http_address()}{path}", data="x", allow_redirects=False
        ) as answer,
    ):
        assert (answer.status, answer.headers["Location"]) == (307, onward)


async def test_pretty_is_indented_by_four(consul: Subject) -> None:
    await consul.put("p", "x")
    answer = await consul.call("GET", "/v1/kv/p?pretty")
    found = json.loads(answer.text)
    assert answer.text == json.dumps(found, indent=4) + "\n"


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("index=x", "Invalid index"),
        ("index=-1", "Invalid index"),
        ("wait=x", "Invalid wait time"),
        ("wait=5", "Invalid wait time"),
        ("stale&consistent", "Cannot specify ?stale with ?consistent, conflicting semantics."),
    ],
)
async def test_a_question_that_cannot_be_meant(consul: Subject, query: str, text: str) -> None:
    answer = await consul.call("GET", f"/v1/kv/a?{query}")
    assert (answer.status, answer.text) == (400, text)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/v1/kv/a"),
        ("DELETE", "/v1/kv/a"),
        ("GET", "/v1/status/leader"),
        ("PUT", "/v1/session/renew/x"),
        ("GET", "/v1/connect/intentions/check?source=a&destination=b"),
    ],
)
@pytest.mark.parametrize("query", ["index=x", "wait=x", "stale&consistent"])
async def test_nor_where_nothing_waits(consul: Subject, method: str, path: str, query: str) -> None:
    mark = "&" if "?" in path else "?"
    assert (await consul.call(method, f"{path}{mark}{query}")).status == 400


@pytest.mark.parametrize(
    ("method", "path", "told"),
    [
        ("GET", "/v1/kv/a", {}),
        ("PUT", "/v1/kv/a", {}),
        ("GET", "/v1/health/service/web", {}),
        ("GET", "/v1/catalog/services", NOTHING_READ),
        ("GET", "/v1/health/state/any", NOTHING_READ),
        ("GET", "/v1/session/list", NOTHING_READ),
        ("GET", "/v1/connect/intentions/match?by=source&name=a", NOTHING_READ),
    ],
)
async def test_another_datacenter_is_not_there(
    consul: Subject, method: str, path: str, told: dict[str, str]
) -> None:
    mark = "&" if "?" in path else "?"
    answer = await consul.call(method, f"{path}{mark}dc=far")
    assert (answer.status, answer.text) == (500, "No path to datacenter")
    meta = {name: value for name, value in head_of(answer).items() if "consul-" in name}
    assert meta == {"x-consul-default-acl-policy": "allow", **told}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/agent/self"),
        ("GET", "/v1/agent/services"),
        ("GET", "/v1/catalog/datacenters"),
        ("DELETE", "/v1/connect/intentions/exact?source=a&destination=b"),
    ],
)
async def test_some_are_of_no_datacenter(consul: Subject, method: str, path: str) -> None:
    mark = "&" if "?" in path else "?"
    assert (await consul.call(method, f"{path}{mark}dc=far")).status == 200


@pytest.mark.parametrize("path", ["/v1/kv/a", "/v1/catalog/services", "/v1/agent/checks"])
@pytest.mark.parametrize(("name", "what"), [("ns", "Namespaces"), ("partition", "Partitions")])
async def test_enterprises_places_are_refused(
    consul: Subject, path: str, name: str, what: str
) -> None:
    answer = await consul.call("GET", f"{path}?{name}=default")
    words = f'Invalid query parameter: "{name}" - {what} are a Consul Enterprise feature'
    assert (answer.status, answer.text) == (400, words)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/session/create", r'{"Name":"\ud800x"}', 200),
        ("/v1/agent/service/register", r'{"Name":"\ud800x"}', 200),
        ("/v1/catalog/register", r'{"Node":"\ud800x","Address":"127.0.0.9"}', 200),
        ("/v1/session/create", '{"LockDelay":1e400}', 400),
        ("/v1/session/create", '{"LockDelay":1e300}', 200),
        ("/v1/agent/service/register", '{"Name":"w","Port":1e300}', 400),
        ("/v1/agent/service/register", '{"Name":"w","Port":1000000000000000000000000000000}', 400),
        (
            "/v1/agent/service/register",
            '{"Name":"w","Check":{"TTL":1000000000000000000000000000000}}',
            400,
        ),
        (
            "/v1/txn",
            '[{"KV":{"Verb":"set","Key":"a","Flags":1000000000000000000000000000000}}]',
            400,
        ),
        ("/v1/txn", '[{"KV":{"Verb":"set","Key":"a","Flags":-1}}]', 400),
        ("/v1/txn", '[{"KV":{"Verb":"set","Key":"a","Flags":18446744073709551615}}]', 200),
        ("/v1/txn", '[{"KV":{"Verb":"set","Key":"a","Value":"é"}}]', 400),
        ("/v1/kv/a?flags=" + "9" * 5000, "x", 500),
        ("/v1/kv/a?cas=" + "9" * 5000, "x", 500),
        ("/v1/session/destroy/%ff", None, 200),
        ("/v1/agent/maintenance?enable=true&reason=%ff", None, 200),
        ("/v1/kv/a?acquire=%ff", "x", 500),
        ("/v1/connect/intentions/exact?source=%ff&destination=%ff", '{"Action":"allow"}', 200),
    ],
)
async def test_numbers_and_bytes_beyond_what_can_be(
    consul: Subject, path: str, body: Any, status: int
) -> None:
    answer = await consul.call("PUT", path, body=body)
    assert answer.status == status, answer.text
    assert "fault" not in answer.text


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/v1/session/info/%ff", "[]"),
        ("/v1/catalog/node/%ff", "null"),
        ("/v1/health/service/%ff?passing", "[]"),
        ("/v1/kv/a?index=" + "9" * 5000, "Invalid index"),
    ],
)
async def test_reads_of_what_cannot_be(consul: Subject, path: str, text: str) -> None:
    assert (await consul.call("GET", path)).text.strip() == text


@pytest.mark.parametrize("path", ["/v1/kv/a%00b", "/v1/kv/a%0ab", "/v1/kv/%zz"])
async def test_a_path_that_is_no_name_is_refused(consul: Subject, path: str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.get(URL(f"http://{consul.http_address()}{path}", encoded=True)) as answer,
    ):
        assert answer.status == 400


@pytest.mark.parametrize(
    ("head", "answers"),
    [
        ("Expect: 100-continue", ["HTTP/1.1 100 Continue", "HTTP/1.1 200 OK"]),
        ("Expect: the-worst", ["HTTP/1.1 417 Expectation Failed"]),
        ("Content-Encoding: gzip", ["HTTP/1.1 200 OK"]),
    ],
)
async def test_what_comes_before_a_body(consul: Subject, head: str, answers: list[str]) -> None:
    told = await raw(consul, f"PUT /v1/kv/asked HTTP/1.1\r\nContent-Length: 3\r\n{head}", "abc")
    assert [line for line in told.splitlines() if line.startswith("HTTP/")] == answers
    if answers[-1].endswith("OK"):
        assert (await consul.call("GET", "/v1/kv/asked?raw")).text == "abc"


async def test_a_path_as_a_proxy_is_asked(consul: Subject) -> None:
    await consul.put("asked", "abc")
    told = await raw(consul, "GET http://registry/v1/kv/asked?raw HTTP/1.1")
    assert told.endswith("abc")


async def raw(consul: Subject, head: str, body: str = "") -> str:
    """All that is answered to a request that is sent as it stands here."""
    host, _, port = consul.http_address().rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"{head}\r\nHost: registry\r\nConnection: close\r\n\r\n{body}".encode())
    async with asyncio.timeout(60):
        told = (await reader.read()).decode()
    writer.close()
    return told
