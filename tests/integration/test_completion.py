"""The tab key in the real shells: commands, words of settings, and keys and services from a real Consul."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support import ConsulCluster, run
from tests.support.mesh import COMMANDS
from tests.support.terminal import Terminal

pytestmark = pytest.mark.consul

SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "source <(meshnode completion bash)"),
    "zsh": (["zsh", "-f", "-i"], 'autoload -Uz compinit; compinit -D -u; eval "$(meshnode completion zsh)"'),
    "zsh by a file of fpath": (["zsh", "-f", "-i"], "meshnode completion zsh > _meshnode; fpath+=$PWD; autoload -Uz compinit; compinit -D -u"),
    "fish": (["fish", "--no-config", "-i"], "meshnode completion fish | source"),
}  # fmt: skip


@pytest.fixture
async def consul(tmp_path: Path) -> AsyncIterator[ConsulCluster]:
    async with ConsulCluster(tmp_path / "consul", nodes=1) as cluster:
        await cluster.put("mesh/routes/shop", "shop.test/ -> shop")
        await cluster.register({"Name": "shop", "ID": "shop-1", "Port": 1})
        yield cluster


def environment(consul: ConsulCluster) -> dict[str, str]:
    return {
        "PATH": f"{COMMANDS}:{os.environ['PATH']}",
        "LANG": "C.UTF-8",
        **consul.environment(),
    }


@pytest.mark.parametrize("shell", SHELLS)
async def test_the_tab_key_finishes_what_was_begun(
    shell: str, consul: ConsulCluster, tmp_path: Path
) -> None:
    command, setup = SHELLS[shell]
    with Terminal(command, tmp_path, environment(consul)) as terminal:
        terminal.type(f"{setup}; echo rea''dy\n")
        terminal.until("ready")
        terminal.type("meshnode versi\t\n")
        terminal.until("meshnode 0.1.0")
        terminal.type("meshnode config show --callers po\t --json | grep -A1 callers\n")
        terminal.until('"value": "port"')
        terminal.type("meshnode kv get mesh/rou\t\n")
        terminal.until("shop.test/ -> shop")
        terminal.type("meshnode intentions deny sho\t other\n")
        terminal.until("shop => other")


@pytest.mark.parametrize("where", ["127.0.0.1:1", "192.0.2.1:8500"])
async def test_a_consul_that_is_away_offers_nothing_and_says_nothing(where: str) -> None:
    asked = {
        "_MESHNODE_COMPLETE": "complete_bash",
        "COMP_WORDS": "meshnode\nkv\nget\nmesh/",
        "COMP_CWORD": "3",
        "CONSUL_HTTP_ADDR": where,
    }
    said = await run(COMMANDS / "meshnode", env=asked, check=False)
    assert (said.code, said.stdout.strip(), said.stderr) == (0, "", ""), said


async def test_wrong_use_is_a_document_for_a_program() -> None:
    for words, sentence in (
        (("statsu",), 'did you mean "status"?'),
        (("status", "--jsn"), "--json"),
        (("kv", "put"), "KEY is missing"),
    ):
        said = await run(COMMANDS / "meshnode", *words, "--json", check=False)
        document = json.loads(said.stdout)
        assert (said.code, document["exit_code"], said.stderr) == (2, 2, "")
        assert sentence in document["error"]
