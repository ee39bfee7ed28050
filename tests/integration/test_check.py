"""`meshnode check` with nothing running: what it says of files, what it ends with, and that nothing is left."""

from __future__ import annotations

import asyncio
import json
import os
import select
import sys
from pathlib import Path

from tests.support import Finished, program_path, run, wait_until

# Python reads it as right; the proxy will not hold a program of that size for one path.
TOO_LARGE = "host: shop.test\npath:\n  regex: /(a{500}){400}\nservice: shop\n"


async def check(folder: Path, *words: str) -> Finished:
    return await run(str(program_path("meshnode")), "check", *words, cwd=folder, check=False)


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


async def test_every_mistake_is_said_with_its_place(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "mesh/routes/good": "shop.test/ -> shop",
            "mesh/routes/bad": "shop.test/cart -> cart timout=2s",
            "mesh/routes/large.yaml": TOO_LARGE,
            "mesh/services/shop": "timeout: 2x",
            "mesh/tests/t": "GET shop.test/x -> shop\nGET shop.test/x -> cart\nas web shop.mesh/ -> 403",
            "mesh/rotes/x": "x",
        },
    )
    said = await check(tmp_path, "mesh", "--json")
    assert said.code == 1, said
    document = json.loads(said.stdout)
    places = {(one["file"], one.get("line"), one.get("column")) for one in document["problems"]}
    assert places == {
        ("mesh/routes/bad", 1, 24),
        ("mesh/routes/large.yaml", 3, 10),
        ("mesh/services/shop", 1, 11),
        ("mesh/tests/t", 2, None),
        ("mesh/rotes/x", None, None),
    }
    assert (document["keys"], document["expectations"]) == (6, 3)
    assert any("as web shop.mesh/ -> 403" in one for one in document["unchecked"])


async def test_what_is_right_ends_with_0(tmp_path: Path) -> None:
    deny = {
        "Kind": "service-intentions",
        "Name": "shop",
        "Sources": [{"Name": "web", "Action": "deny"}],
    }
    write(
        tmp_path,
        {
            "mesh/routes/shop": "shop.test/ -> shop",
            "mesh/tests/t": "GET shop.test/x -> shop\nas web shop.mesh/ -> 403",
            "mesh/drain/x": "shop-7 on node-9",
            "intentions/shop.json": json.dumps(deny),
            "notes.txt": "nothing",
        },
    )
    said = await check(tmp_path, ".")
    assert (said.code, said.stderr) == (0, ""), said
    assert "3 keys, 2 expectations, no mistake\n" in said.stdout
    assert "not checked: whether these instances are there to be drained: shop-7\n" in said.stdout
    assert "notes.txt: not read" in said.stdout
    write(tmp_path, {"intentions/shop.json": json.dumps({**deny, "Sources": []})})
    said = await check(tmp_path, ".")
    assert (said.code, "but it goes to shop" in said.stdout) == (1, True), said


async def test_keys_beside_mesh_are_told(tmp_path: Path) -> None:
    entries = [
        {"key": key, "flags": 0, "value": "eA=="} for key in ("routes/x", "app/y", "meshnode/z")
    ]
    files = {"mesh/routes/shop": "shop.test/ -> shop", "Mesh/routes/x": "x", "conf/routes/x": "x"}
    write(tmp_path, {**files, "export.json": json.dumps(entries)})
    document = json.loads((await check(tmp_path, ".", "--json")).stdout)
    assert document["misplaced"] == [
        {"file": "export.json", "key": "routes/x", "suggestion": "mesh/routes/x"},
        {"file": "Mesh/routes/x", "key": "Mesh/routes/x", "suggestion": "mesh/routes/x"},
    ]


async def test_wrong_use_ends_with_2(tmp_path: Path) -> None:
    write(tmp_path, {"cart": "shop.test/ -> cart", "empty/x.md": ""})
    for words in ((), ("cart",), ("nothing",), ("empty",)):
        said = await check(tmp_path, *words)
        assert (said.code, said.stdout) == (2, ""), said


HOLDS = """
import asyncio
from meshnode.candidate.lone import lone_proxy

async def main():
    async with lone_proxy() as client:
        print((await client.version()).pid, flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_its_proxy_ends_with_it_however_it_ends() -> None:
    checking = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDS, stdout=asyncio.subprocess.PIPE
    )
    assert checking.stdout is not None
    pid = int(await checking.stdout.readline())
    proxy = os.pidfd_open(pid)
    try:
        checking.kill()
        await checking.wait()
        # A pidfd is readable when its process is gone.
        await wait_until(lambda: bool(select.select([proxy], [], [], 0)[0]), 20, what="it is gone")
    finally:
        os.close(proxy)
