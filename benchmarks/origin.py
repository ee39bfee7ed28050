"""What answers behind every proxy: nginx with 1 KiB from its configuration. It shares wrk's core; its cost is not counted."""

import os
from pathlib import Path
from typing import Self

from benchmarks.peers.subject import answers, local_address
from tests.support import Process
from tests.support.nginx import PROGRAM
from tests.support.running import Running

BODY_BYTES = 1024
READY_SECONDS = 20.0


class Origin(Running):
    """`async with Origin(folder) as origin:` answers at `origin.address`."""

    def __init__(self, folder: Path) -> None:
        self.address = local_address()
        place = folder / "origin"
        place.mkdir()
        settings = place / "nginx.conf"
        settings.write_text(_settings(self.address))
        command: list[str | Path] = [PROGRAM, "-p", place, "-c", settings, "-e", "stderr"]
        self._process = Process("origin", command, folder=folder)

    async def start(self) -> Self:
        self._process.start()
        await self._process.until(self._answers, READY_SECONDS, what="the origin answers")
        return self

    def close(self) -> None:
        self._process.kill()

    async def _answers(self) -> bool:
        return await answers(self.address)


def _settings(listen: str) -> str:
    return f"""\
{"user www-data;" if os.geteuid() == 0 else ""}
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid nginx.pid;
error_log stderr;
events {{ worker_connections 16000; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 300s;
    server {{
        listen {listen};
        location / {{ default_type text/plain; return 200 "{"x" * BODY_BYTES}"; }}
    }}
}}
"""
