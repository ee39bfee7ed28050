"""However the demo ends, nothing of it runs on, and the next one starts as if nothing had been."""

import os
import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.demo import PATIENCE_S, Demo, nothing_is_left, pids
from tests.support import run, wait_until
from tests.support.mesh import COMMANDS

# Where the number of nodes says nothing, one starts in half the time.
ONE_NODE = ("--nodes", "1")
# How far a start has come, by what runs: a demo is killed at each of these.
MOMENTS: dict[str, Callable[[], object]] = {
    "the worker": lambda: len(pids("meshnode dev")) == 2,
    "an agent": lambda: pids("meshnode agent"),
    "the services": lambda: len(pids("meshnode.dev.service")) == 4,
    "a proxy": lambda: pids("meshnode-proxy"),
    "all proxies": lambda: len(pids("meshnode-proxy")) == 3,
}


@pytest.mark.parametrize(
    ("number", "nodes"),
    [(signal.SIGINT, ()), (signal.SIGTERM, ONE_NODE), (signal.SIGHUP, ONE_NODE)],
)
async def test_a_signal_ends_all_of_it(
    tmp_path: Path, number: signal.Signals, nodes: tuple[str, ...]
) -> None:
    async with Demo(tmp_path, *nodes) as demo:
        assert await demo.end(number) == 0
        await nothing_is_left()
    assert "Traceback" not in demo.output


@pytest.mark.parametrize(
    ("victim", "nodes"), [("keeper", ONE_NODE), ("worker", ONE_NODE), ("both", ())]
)
async def test_kill_9_leaves_nothing_running_and_the_next_one_starts(
    tmp_path: Path, victim: str, nodes: tuple[str, ...]
) -> None:
    async with Demo(tmp_path, *nodes, name="first"):
        keeper, worker = sorted(pids("meshnode dev"))
        for one in {"keeper": [keeper], "worker": [worker], "both": [worker, keeper]}[victim]:
            os.kill(one, signal.SIGKILL)
        await nothing_is_left()
    async with Demo(tmp_path, *nodes, name="second") as demo:
        assert "stock on node-" in (await demo.paste(demo.suggestions()[0])).stdout


async def test_one_killed_anywhere_in_its_start_leaves_nothing_running(tmp_path: Path) -> None:
    for number, (moment, has_come) in enumerate(MOMENTS.items()):
        demo = Demo(tmp_path, name=f"killed-{number}")
        demo.program.start()
        await demo.program.until(has_come, PATIENCE_S, what=moment)
        # The keeper at one moment, the worker at the next.
        os.kill(sorted(pids("meshnode dev"))[number % 2], signal.SIGKILL)
        await nothing_is_left()
        await demo.program.wait()
    async with Demo(tmp_path, name="last") as demo:
        assert "stock on node-3" in (await demo.paste(demo.suggestions()[0])).stdout


async def test_an_interrupted_start_ends_quietly(tmp_path: Path) -> None:
    demo = Demo(tmp_path)
    demo.program.start()
    await demo.program.until(MOMENTS["a proxy"], PATIENCE_S, what="a proxy")
    assert await demo.end() == 0
    await nothing_is_left()
    assert "Traceback" not in demo.output


async def test_one_whose_screen_went_away_ends(tmp_path: Path) -> None:
    # As `meshnode dev | head -3` has it.
    words = f"set -o pipefail; {COMMANDS / 'meshnode'} dev --nodes 1 | head -3"
    seen = await run("bash", "-c", words, env={"HOME": str(tmp_path)}, timeout=PATIENCE_S)
    assert "node-1" in seen.stdout
    assert seen.stderr == ""
    await nothing_is_left()


async def test_a_second_one_says_in_a_sentence_that_one_runs(tmp_path: Path) -> None:
    async with Demo(tmp_path, *ONE_NODE) as first:
        second = await run(COMMANDS / "meshnode", "dev", env={"HOME": str(first.home)}, check=False)
        assert second.code == 1
        keeper = min(pids("meshnode dev"))
        assert f"a demo runs already (process {keeper}, edge http://127.0.0.1:" in second.stderr
        assert "--data DIR" in second.stderr
        assert "stock on node-1" in (await first.paste(first.suggestions()[0])).stdout


async def test_two_in_folders_of_their_own_run_side_by_side(tmp_path: Path) -> None:
    one = Demo(tmp_path, "--data", str(tmp_path / "one"), name="one")
    other = Demo(tmp_path, "--data", str(tmp_path / "other"), name="other")
    # At once: neither knows which ports the other will take.
    one.program.start()
    async with other:
        await one.screen()
        for demo in (one, other):
            assert "stock on node-3" in (await demo.paste(demo.suggestions()[0])).stdout
        assert set(one.suggestions()).isdisjoint(other.suggestions())
        assert await one.end() == 0
        assert "stock on node-3" in (await other.paste(other.suggestions()[0])).stdout


async def test_taken_ports_move_and_the_suggestions_with_them(tmp_path: Path) -> None:
    with ExitStack() as stack:
        for port in (8500, 8080, 7000, 7443, 9000, 15000):
            listener = stack.enter_context(socket.socket())
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("0.0.0.0", port))
                listener.listen()
            except OSError:
                continue  # somebody else has it, which does as well
        async with Demo(tmp_path) as demo:
            assert "Taken by others, so moved: the registry 8500 → " in demo.output
            shop, split, carts, trace, deny = demo.suggestions()
            assert "stock on node-3" in (await demo.paste(shop)).stdout
            assert "accepted by 3 of 3 nodes" in (await demo.paste(split)).stdout
            await demo.until_page(carts, "NEW CART")
            assert "mesh/routes/beta" in (await demo.paste(trace)).stdout
            await demo.paste(deny)
            await demo.until_page(shop, "stock refused cart")


async def test_make_demo_builds_and_runs_it(tmp_path: Path) -> None:
    # As in a new terminal, also where these tests run in one that is activated.
    folders = [one for one in os.environ["PATH"].split(os.pathsep) if Path(one) != COMMANDS]
    path = {"PATH": os.pathsep.join(folders)}
    async with Demo(tmp_path, command=["make", "demo"], environment=path) as demo:
        assert "(. .venv/bin/activate)" in demo.output
        assert "stock on node-3" in (await demo.paste(demo.suggestions()[0])).stdout
        await demo.end()
        await nothing_is_left()
    assert "Traceback" not in demo.output


async def test_a_make_that_is_killed_takes_the_demo_along(tmp_path: Path) -> None:
    async with Demo(tmp_path, command=["make", "demo", "DEMO=--nodes 1"]) as demo:
        demo.program.signal(signal.SIGKILL)
        await wait_until(lambda: not demo.program.is_running, what="make is gone")
        await nothing_is_left()
