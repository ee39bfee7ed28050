"""The real `consul` command on keys, members and what an agent says of itself."""

import base64
import json

import pytest

from tests.contract.subject import NODE, Subject


async def test_put_get_delete(consul: Subject) -> None:
    put = await consul.cli("kv", "put", "-flags=7", "cli/a", "value")
    assert put.stdout == "Success! Data written to: cli/a\n"
    assert (await consul.cli("kv", "get", "cli/a")).stdout == "value\n"
    detailed = (await consul.cli("kv", "get", "-detailed", "cli/a")).stdout
    fields = dict(line.split(maxsplit=1) for line in detailed.splitlines())
    assert (fields["Key"], fields["Flags"], fields["Value"]) == ("cli/a", "7", "value")
    assert (await consul.cli("kv", "delete", "cli/a")).stdout == "Success! Deleted key: cli/a\n"
    gone = await consul.cli("kv", "get", "cli/a", check=False)
    assert (gone.code, gone.stderr) == (1, "Error! No key exists at: cli/a\n")


async def test_lists(consul: Subject) -> None:
    for key in ("cli/a", "cli/b/c", "other"):
        await consul.cli("kv", "put", key, key.upper())
    assert (await consul.cli("kv", "get", "-keys", "cli/")).stdout == "cli/a\ncli/b/\n"
    listed = (await consul.cli("kv", "get", "-recurse", "cli/")).stdout
    assert listed == "cli/a:CLI/A\ncli/b/c:CLI/B/C\n"
    deleted = (await consul.cli("kv", "delete", "-recurse", "cli/")).stdout
    assert deleted == "Success! Deleted keys with prefix: cli/\n"
    assert (await consul.cli("kv", "get", "-keys", "")).stdout == "other\n"


async def test_compare_and_set(consul: Subject) -> None:
    await consul.put("cli/cas", "1")
    index = (await consul.api("GET", "/v1/kv/cli/cas"))[0]["ModifyIndex"]
    stale = await consul.cli(
        "kv", "put", "-cas", f"-modify-index={index - 1}", "cli/cas", "2", check=False
    )
    assert (stale.code, stale.stderr) == (1, "Error! Did not write to cli/cas: CAS failed\n")
    await consul.cli("kv", "put", "-cas", f"-modify-index={index}", "cli/cas", "2")
    assert (await consul.cli("kv", "get", "cli/cas")).stdout == "2\n"


async def test_export_and_import(consul: Subject) -> None:
    value = base64.b64encode(b"\x00\xff\n").decode()
    wanted = [
        {"key": "cli/empty", "flags": 0, "value": ""},
        {"key": "cli/x", "flags": 9, "value": value},
    ]
    await consul.cli("kv", "import", "-", stdin=json.dumps(wanted))
    exported = (await consul.cli("kv", "export", "cli/")).stdout
    assert json.loads(exported) == wanted


async def test_a_lock_holds_while_its_command_runs(consul: Subject) -> None:
    done = await consul.cli("lock", "cli/lock", "echo held")
    assert "held" in done.stdout
    left = await consul.api("GET", "/v1/kv/cli/lock/?keys")
    assert not left


@pytest.mark.parametrize("more", [[], ["-detailed"]])
async def test_members(consul: Subject, more: list[str]) -> None:
    found = (await consul.cli("members", *more)).stdout.splitlines()
    rows = [line.split() for line in found]
    assert rows[1][0] == NODE
    assert rows[1][2] == "alive"
    assert len(rows) == 2


async def test_datacenters(consul: Subject) -> None:
    assert (await consul.cli("catalog", "datacenters")).stdout == "dc1\n"


async def test_info(consul: Subject) -> None:
    said = (await consul.cli("info")).stdout
    assert "\tversion = 1.22.0\n" in said
    assert "\tleader = true\n" in said
