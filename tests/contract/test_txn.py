"""Transactions: all or none, what each verb answers, what is refused."""

import json
from typing import Any

import pytest

from tests.contract.subject import Subject

PAGE = "https://developer.hashicorp.com/docs/agent/config/config-files#txn_max_req_len"


def kv(verb: str, key: str, **fields: Any) -> dict[str, Any]:
    return {"KV": {"Verb": verb, "Key": key, **fields}}


async def run(consul: Subject, *operations: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    answer = await consul.call("PUT", "/v1/txn", body=list(operations))
    return answer.status, json.loads(answer.text)


async def test_a_transaction_has_one_index(consul: Subject) -> None:
    status, done = await run(
        consul,
        kv("set", "t/a", Value="eA=="),
        kv("set", "t/b", Value="eA==", Flags=3),
        kv("get", "t/a"),
    )
    assert status == 200
    a, b, read = (one["KV"] for one in done["Results"])
    assert a["ModifyIndex"] == b["ModifyIndex"] == read["ModifyIndex"]
    assert (a["Value"], b["Flags"], read["Value"]) == (None, 3, "eA==")
    assert done["Errors"] is None
    assert set(done) == {"Results", "Errors"}


async def test_a_refused_transaction_does_nothing(consul: Subject) -> None:
    status, refused = await run(
        consul, kv("set", "t/a", Value="eA=="), kv("get", "none"), kv("cas", "t/a", Index=1)
    )
    assert (status, refused) == (
        409,
        {
            "Results": None,
            "Errors": [
                {"OpIndex": 1, "What": 'key "none" doesn\'t exist'},
                {"OpIndex": 2, "What": 'failed to set key "t/a", index is stale'},
            ],
        },
    )
    assert await consul.api("GET", "/v1/kv/t/a") is None


async def test_what_only_reads_says_so(consul: Subject) -> None:
    await consul.put("t/a", "x")
    status, done = await run(consul, kv("get-tree", "t/"), kv("get-or-empty", "none"))
    assert status == 200
    assert [one["KV"]["Key"] for one in done.pop("Results")] == ["t/a", "none"]
    assert done == {
        "Errors": None,
        "Index": 1,
        "LastContact": 0,
        "KnownLeader": True,
        "ConsistencyLevel": "",
        "NotModified": False,
        "Backend": 0,
        "ResultsFilteredByACLs": False,
    }


@pytest.mark.parametrize(
    ("operation", "what"),
    [
        (kv("zz", "a"), "unknown KV operation: zz"),
        (kv("set", ""), "Must provide key"),
        (kv("check-not-exists", "there"), 'key "there" exists'),
        (
            kv("check-index", "none"),
            'failed to check index, key "none" doesn\'t exist',
        ),
        (
            kv("check-session", "there", Session="x"),
            'failed session check for key "there", current session "" != "x"',
        ),
        (kv("delete-cas", "there", Index=1), 'failed to delete key "there", index is stale'),
        (kv("lock", "there"), "missing session"),
        (kv("lock", "there", Session="x"), 'invalid session "x"'),
        (
            kv("unlock", "there", Session="x"),
            'failed to unlock key "there", lock isn\'t held, or is held by another session',
        ),
    ],
)
async def test_what_an_operation_fails_with(
    consul: Subject, operation: dict[str, Any], what: str
) -> None:
    await consul.put("there", "x")
    status, refused = await run(consul, operation)
    assert status == 409
    assert refused["Errors"] == [{"OpIndex": 0, "What": what}]


async def test_every_verb_that_writes(consul: Subject) -> None:
    session = (await consul.api("PUT", "/v1/session/create", body={"LockDelay": "0s"}))["ID"]
    await consul.put("v/there", "x")
    index = (await consul.api("GET", "/v1/kv/v/there"))[0]["ModifyIndex"]
    status, done = await run(
        consul,
        kv("cas", "v/there", Index=index, Value="eQ=="),
        kv("lock", "v/lock", Session=session, Value="eA=="),
        kv("check-session", "v/lock", Session=session),
        kv("unlock", "v/lock", Session=session),
        kv("set", "v/tree/1"),
        kv("delete-tree", "v/tree/"),
        kv("delete", "v/none"),
        kv("delete-cas", "v/none", Index=3),
        kv("check-not-exists", "v/tree/1"),
        kv("get-tree", "v/"),
    )
    assert status == 200, done
    keys = [one["KV"]["Key"] for one in done["Results"]]
    assert keys == [
        "v/there",
        "v/lock",
        "v/lock",
        "v/lock",
        "v/tree/1",
        "v/lock",
        "v/there",
    ]


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ("", 400, "Failed to parse body: EOF"),
        (
            "{}",
            400,
            "Failed to parse body: json: cannot unmarshal object into Go value of type api.TxnOps",
        ),
        (
            '[{"KV":{"Verb":"set","Key":"x","Value":"%%"}}]',
            400,
            "Failed to parse body: illegal base64 data at input byte 0",
        ),
        ('[{"Zorg":{}}]', 400, 'Failed to parse body: json: unknown field "Zorg"'),
        (
            json.dumps([kv("get", "a")] * 129),
            413,
            "Transaction contains too many operations (129 > 128)",
        ),
        (
            b"x" * (512 * 1024 + 1),
            413,
            f"Request body(524289 bytes) too large, max size: 524288 bytes. See {PAGE}.",
        ),
    ],
)
async def test_what_is_no_transaction(
    consul: Subject, body: str | bytes, status: int, text: str
) -> None:
    answer = await consul.call("PUT", "/v1/txn", body=body)
    assert (answer.status, answer.text) == (status, text)
