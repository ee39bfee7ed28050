"""KV: values, flags, prefixes, compare-and-set, names, and what is refused."""

import base64
import json
from typing import Any

import pytest

from tests.contract.subject import Subject, head_of, index_of


async def entry(consul: Subject, key: str) -> dict[str, Any]:
    (found,) = await consul.api("GET", f"/v1/kv/{key}")
    assert isinstance(found, dict)
    return found


async def test_a_key_is_shown_with_all_its_fields(consul: Subject) -> None:
    assert await consul.api("PUT", "/v1/kv/a/b?flags=42", body=b"\x00value") is True
    answer = await consul.call("GET", "/v1/kv/a/b")
    (found,) = json.loads(answer.text)
    index = found.pop("ModifyIndex")
    assert found == {
        "LockIndex": 0,
        "Key": "a/b",
        "Flags": 42,
        "Value": base64.b64encode(b"\x00value").decode(),
        "CreateIndex": index,
    }
    assert index_of(answer) == index
    head = head_of(answer)
    assert head["x-consul-knownleader"] == "true"
    assert head["x-consul-lastcontact"] == "0"
    assert head["x-consul-default-acl-policy"] == "allow"
    assert head["content-type"] == "application/json"


async def test_an_empty_value_is_null(consul: Subject) -> None:
    await consul.put("empty", b"")
    assert (await entry(consul, "empty"))["Value"] is None
    assert (await consul.call("GET", "/v1/kv/empty?raw")).text == ""


async def test_raw_is_the_value_itself_and_no_page(consul: Subject) -> None:
    await consul.put("raw", "<script>")
    answer = await consul.call("GET", "/v1/kv/raw?raw")
    head = head_of(answer)
    assert answer.text == "<script>"
    assert head["content-type"] == "text/plain; charset=utf-8"
    assert head["x-content-type-options"] == "nosniff"
    assert head["content-security-policy"] == "sandbox"
    assert int(head["x-consul-index"]) > 0


@pytest.mark.parametrize("query", ["", "?recurse", "?keys", "?raw"])
async def test_what_is_not_there_is_404_with_an_index(consul: Subject, query: str) -> None:
    answer = await consul.call("GET", f"/v1/kv/none{query}")
    assert (answer.status, answer.text) == (404, "")
    assert index_of(answer) > 0


async def test_a_put_of_the_same_value_changes_nothing(consul: Subject) -> None:
    await consul.put("same", "x")
    before = await entry(consul, "same")
    await consul.put("same", "x")
    assert await entry(consul, "same") == before
    await consul.api("PUT", "/v1/kv/same?flags=1", body="x")
    after = await entry(consul, "same")
    assert after["CreateIndex"] == before["CreateIndex"]
    assert after["ModifyIndex"] > before["ModifyIndex"]


async def test_a_prefix_gives_its_keys_in_the_order_of_their_bytes(consul: Subject) -> None:
    for key in ("p/b", "p/a/x", "p/a", "p/ä", "q", "p/Z"):
        await consul.put(key, key)
    listed = await consul.api("GET", "/v1/kv/p/?recurse")
    assert [one["Key"] for one in listed] == ["p/Z", "p/a", "p/a/x", "p/b", "p/ä"]
    assert await consul.api("GET", "/v1/kv/p?keys") == ["p/Z", "p/a", "p/a/x", "p/b", "p/ä"]
    assert await consul.api("GET", "/v1/kv/?keys&separator=/") == ["p/", "q"]
    assert await consul.api("GET", "/v1/kv/p/?keys&separator=/") == [
        "p/Z",
        "p/a",
        "p/a/",
        "p/b",
        "p/ä",
    ]
    assert await consul.api("GET", "/v1/kv/?keys&seperator=/") == ["p/", "q"]


async def test_no_keys_at_all_are_an_empty_list(consul: Subject) -> None:
    answer = await consul.call("GET", "/v1/kv/?keys")
    assert (answer.status, json.loads(answer.text)) == (200, [])


async def test_compare_and_set(consul: Subject) -> None:
    assert await consul.api("PUT", "/v1/kv/cas?cas=1", body="x") is False
    assert await consul.api("PUT", "/v1/kv/cas?cas=0", body="x") is True
    assert await consul.api("PUT", "/v1/kv/cas?cas=0", body="y") is False
    index = (await entry(consul, "cas"))["ModifyIndex"]
    assert isinstance(index, int)
    assert await consul.api("PUT", f"/v1/kv/cas?cas={index - 1}", body="y") is False
    assert await consul.api("PUT", f"/v1/kv/cas?cas={index}", body="y") is True
    assert (await entry(consul, "cas"))["Value"] == "eQ=="


async def test_deleting(consul: Subject) -> None:
    for key in ("d/1", "d/2", "d/3", "dd"):
        await consul.put(key, "x")
    index = (await entry(consul, "d/1"))["ModifyIndex"]
    assert await consul.api("DELETE", "/v1/kv/d/1?cas=1") is False
    assert await consul.api("DELETE", f"/v1/kv/d/1?cas={index}") is True
    assert await consul.api("DELETE", "/v1/kv/d/1?cas=7") is True
    assert await consul.api("DELETE", "/v1/kv/never") is True
    assert await consul.api("DELETE", "/v1/kv/d/?recurse") is True
    assert await consul.api("GET", "/v1/kv/?keys") == ["dd"]


async def test_a_deleted_key_raises_the_index_of_its_prefix(consul: Subject) -> None:
    await consul.put("t/a", "x")
    await consul.put("t/b", "x")
    before = index_of(await consul.call("GET", "/v1/kv/t/?recurse"))
    await consul.delete("t/b")
    after = index_of(await consul.call("GET", "/v1/kv/t/?recurse"))
    assert after > before
    await consul.put("other", "x")
    assert index_of(await consul.call("GET", "/v1/kv/t/?recurse")) == after


async def test_a_deleted_tree_raises_the_index_of_its_prefix(consul: Subject) -> None:
    await consul.put("t/a/1", "x")
    await consul.put("t/b", "x")
    before = index_of(await consul.call("GET", "/v1/kv/t/?recurse"))
    await consul.delete("t/a/", recurse=True)
    after = index_of(await consul.call("GET", "/v1/kv/t/?recurse"))
    assert after > before
    assert index_of(await consul.call("GET", "/v1/kv/t/b")) < after


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/v1/kv/", 400, "Missing key name"),
        ("PUT", "/v1/kv/", 400, "Missing key name"),
        ("DELETE", "/v1/kv/", 400, "Missing key name"),
        ("PUT", "/v1/kv/a?flags=x", 500, 'strconv.ParseUint: parsing "x": invalid syntax'),
        ("PUT", "/v1/kv/a?cas=-1", 500, 'strconv.ParseUint: parsing "-1": invalid syntax'),
        ("PUT", "/v1/kv/a?cas=", 500, 'strconv.ParseUint: parsing "": invalid syntax'),
        (
            "PUT",
            "/v1/kv/a?flags=18446744073709551616",
            500,
            'strconv.ParseUint: parsing "18446744073709551616": value out of range',
        ),
        ("PUT", "/v1/kv/a?cas=0&acquire=x", 400, "Conflicting flags: acquire=x&cas=0\n"),
        ("DELETE", "/v1/kv/a?cas=0&recurse", 400, "Conflicting flags: cas=0&recurse=\n"),
        ("PUT", "/v1/kv/a?acquire=", 500, "raft apply failed: missing session"),
        ("PUT", "/v1/kv/a?acquire=x", 500, 'raft apply failed: invalid session "x"'),
        ("PUT", "/v1/kv/a?release=x", 200, "false"),
        (
            "PUT",
            "/v1/kv/%20a",
            500,
            "invalid key name, leading/trailing spaces are not allowed",
        ),
        ("PUT", "/v1/kv/a%252e%252e", 500, "invalid key name, path traversal is not allowed"),
        ("GET", "/v1/kv/a?dc=elsewhere", 500, "No path to datacenter"),
        ("POST", "/v1/kv/a", 405, "method POST not allowed"),
    ],
)
async def test_what_is_refused(
    consul: Subject, method: str, path: str, status: int, text: str
) -> None:
    answer = await consul.call(method, path, body="x" if method != "GET" else None)
    assert (answer.status, answer.text) == (status, text)


async def test_the_largest_flags_are_kept(consul: Subject) -> None:
    await consul.api("PUT", f"/v1/kv/f?flags={2**64 - 1}", body="x")
    assert (await entry(consul, "f"))["Flags"] == 2**64 - 1


@pytest.mark.parametrize("key", ["a b", "ä", "a:b", "*", "a+b", "q?x", "%C3%A4", "a&b=c", "'"])
async def test_odd_names_are_keys_as_they_are(consul: Subject, key: str) -> None:
    quoted = key.replace("%", "%25").replace("?", "%3F")
    await consul.put(quoted, "x")
    assert await consul.api("GET", "/v1/kv/?keys") == [key]


async def test_a_value_may_have_512_kib_and_no_more(consul: Subject) -> None:
    await consul.put("big", b"x" * 512 * 1024)
    assert len((await consul.call("GET", "/v1/kv/big?raw")).text) == 512 * 1024
    answer = await consul.call("PUT", "/v1/kv/big", body=b"x" * (512 * 1024 + 1))
    assert answer.status == 413
    assert answer.text == (
        "Request body(524289 bytes) too large, max size: 524288 bytes. "
        "See https://developer.hashicorp.com/docs/agent/config/config-files#kv_max_value_size."
    )
