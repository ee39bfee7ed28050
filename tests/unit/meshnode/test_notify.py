"""What systemd is told: once that the agent is ready, and again only what changed."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from meshnode.agent.notify import Notifier


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_systemd_is_told_once_and_when_it_changes(tmp_path: Path, kind: str) -> None:
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.settimeout(30)
        supervisor.bind(name if kind == "path" else f"\0{name}")
        notifier = Notifier(name if kind == "path" else f"@{name}")
        notifier.ready("waits: Consul\nis away")
        notifier.ready("waits: Consul is away")
        notifier.ready("serves as node-1")
        told = [supervisor.recv(4096).decode() for _ in range(2)]
    assert told == [
        "READY=1\nSTATUS=waits: Consul is away",
        "READY=1\nSTATUS=serves as node-1",
    ]


@pytest.mark.parametrize("path", [None, "", "/no/such/socket"])
def test_nobody_to_tell_is_no_trouble(path: str | None) -> None:
    Notifier(path).ready("serves")
