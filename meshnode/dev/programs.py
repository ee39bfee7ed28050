"""The programs of a plan: one agent a node, one process a service, each with its words and its environment."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from .crew import Program
from .folder import Folder
from .plan import Node, Plan
from .settings_file import settings_text

OTLP_GRPC_PORT = "4317"
OTLP_HTTP_PORT = "4318"


def programs(
    plan: Plan, folder: Folder, *, token: str | None, otlp: str | None
) -> Iterator[Program]:
    """Agents first: they take longest to start."""
    for number, node in enumerate(plan.nodes):
        yield _agent(node, folder, telemetry(otlp), token, is_signer=number == 0)
    for node in plan.nodes:
        for service in node.services:
            yield Program(
                name=service.name,
                words=[sys.executable, "-m", "meshnode.dev.service"],
                environment=service.environment(node.place.host, node.name),
                log=folder.log(service.name),
            )


def control_socket(folder: Folder, name: str) -> Path:
    """That of a node's proxy."""
    return folder.node_run(name) / "proxy.sock"


def telemetry(otlp: str | None) -> dict[str, str]:
    """The standard variables for spans. Ports 4317 and 4318 say the protocol; else a URL is HTTP, a bare address gRPC."""
    if otlp is None:
        return {"OTEL_TRACES_EXPORTER": "none"}
    is_url = "://" in otlp
    port = otlp.rstrip("/").rpartition(":")[2]
    is_http = port == OTLP_HTTP_PORT or (is_url and port != OTLP_GRPC_PORT)
    return {
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_ENDPOINT": otlp if is_url else f"http://{otlp}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf" if is_http else "grpc",
    }


def _agent(
    node: Node, folder: Folder, spans: Mapping[str, str], token: str | None, *, is_signer: bool
) -> Program:
    """Its settings are a file in its folder, to be read by who wants to know."""
    state, run = folder.node(node.name), folder.node_run(node.name)
    for path in (state, run):
        path.mkdir(mode=0o700, exist_ok=True)
    file = state / "meshnode.toml"
    file.write_text(settings_text(node, state, run, is_signer=is_signer))
    return Program(
        name=f"{node.name}'s agent",
        words=[*meshnode_words(), "agent", "--config", str(file)],
        environment={**spans, **({"CONSUL_HTTP_TOKEN": token} if token else {})},
        log=folder.log(node.name),
        control_socket=control_socket(folder, node.name),
    )


def meshnode_words() -> list[str]:
    """The real command: the script beside this interpreter, or `python -m meshnode`."""
    beside = Path(sys.executable).with_name("meshnode")
    return [str(beside)] if beside.exists() else [sys.executable, "-m", "meshnode"]
