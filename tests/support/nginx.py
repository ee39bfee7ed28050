"""Debian's nginx as a service that was never touched: serves a folder on a port of its own."""

import os
import socket
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from tests.support.ports import free_port
from tests.support.process import Process
from tests.support.running import Running

READY_SECONDS = 20.0
# Debian puts it where a user's PATH doesn't look.
PROGRAM = "/usr/sbin/nginx"


class Nginx(Running):
    """`async with Nginx(tmp_path, {"index.html": "hello"}) as web:` answers at `web.url`.

    As root its workers run as `user` (Debian's www-data), so the socket belongs to root and the work to somebody else.
    """

    def __init__(
        self,
        folder: Path,
        files: dict[str, str],
        *,
        address: str = "127.0.0.1",
        port: int | None = None,
        user: str = "www-data",
        name: str = "nginx",
    ) -> None:
        self.address = address
        self.port = free_port(address) if port is None else port
        # Not in `folder`: pytest's own is closed to other users, and so to nginx' workers.
        self._root = TemporaryDirectory(prefix="meshnode-nginx-")
        Path(self._root.name).chmod(0o755)
        for path, text in files.items():
            file = Path(self._root.name, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        place = folder / name
        place.mkdir(parents=True)
        settings = place / "nginx.conf"
        settings.write_text(_settings(f"{address}:{self.port}", user, self._root.name))
        command = [PROGRAM, "-p", str(place), "-c", str(settings), "-e", "stderr"]
        self.process = Process(name, command, folder=folder)

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.port}"

    async def start(self) -> Self:
        self.process.start()
        await self.process.until(self._accepts, READY_SECONDS, what="nginx accepts connections")
        return self

    def close(self) -> None:
        self.process.kill()
        self._root.cleanup()

    def _accepts(self) -> bool:
        with socket.create_connection((self.address, self.port), timeout=1):
            return True


def _settings(listen: str, user: str, root: str) -> str:
    temporary = "\n".join(
        f"    {kind}_temp_path {kind}_temp;"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"""\
{f"user {user};" if os.geteuid() == 0 else ""}
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr;
events {{ worker_connections 1024; }}
http {{
{temporary}
    access_log off;
    keepalive_requests 1000000;
    server {{ listen {listen}; root {root}; }}
}}
"""
