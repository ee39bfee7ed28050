"""What holds for every path: methods, redirections, what is not there, how answers look."""

import json

import aiohttp
import pytest
from yarl import URL

from tests.contract.subject import Subject, head_of


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


@pytest.mark.parametrize("path", ["/v1/kv/a%00b", "/v1/kv/a%0ab", "/v1/kv/%zz"])
async def test_a_path_that_is_no_name_is_refused(consul: Subject, path: str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.get(URL(f"http://{consul.http_address()}{path}", encoded=True)) as answer,
    ):
        assert answer.status == 400
