"""Runs the main job, without ACLs and with them."""

import asyncio
import shutil
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from tests.integration.mainjob.speed import change_under_load, latency
from tests.integration.mainjob.steps import callers, intentions, route, trace, wire
from tests.integration.mainjob.told import say
from tests.integration.mainjob.world import build
from tests.support import no_leftovers

STEPS = (route, wire, callers, intentions, trace, change_under_load, latency)


async def main_job(folder: Path, *, has_acl: bool) -> None:
    """All steps in one world, whose files lie in `folder`."""
    say(
        f"\n== the main job, {'with ACLs: default deny, least policy' if has_acl else 'without ACLs'} ==",
    )
    async with AsyncExitStack() as stack:
        world = await build(stack, folder, has_acl=has_acl)
        if has_acl:
            # The default is deny: the edge may call shop, and shop stock, because somebody says so.
            await world.consul("intention", "create", "-allow", "edge", "shop")
            await world.consul("intention", "create", "-allow", "shop", "stock")
        for part in STEPS:
            await part(world)


def run_in_folder(*, has_acl: bool) -> None:
    """One run in a folder of its own; what the agents wrote is shown where it fails."""
    folder = Path(tempfile.mkdtemp(prefix="meshnode-mainjob-"))
    # The service runs as a user of its own and must reach its program.
    folder.chmod(0o755)
    try:
        asyncio.run(main_job(folder, has_acl=has_acl))
    except BaseException:
        for log in sorted(folder.glob("agent-*.log")):
            say(f"\n--- {log.name}\n{log.read_text(errors='replace')[-3000:]}")
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """All of it, twice."""
    with no_leftovers():
        for has_acl in (False, True):
            run_in_folder(has_acl=has_acl)
    say("\nthe main job is done, without and with ACLs: 2 passed, 0 failed")


if __name__ == "__main__":
    main()
