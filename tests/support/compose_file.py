"""docker-compose.yml as values: what runs where, with which words, environment, files and ports. Runs nothing."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

OWN_NETWORK = "service:"
# What this reads; a key it does not know would be a part of the file that no test ever ran.
KEYS = {
    "build", "command", "configs", "depends_on", "environment", "healthcheck", "image", "network_mode", "ports",
    "restart", "stop_grace_period", "user", "volumes",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Container:
    """One service of the file. `machine` is the container whose network it lives in, its own name where it has one.

    `files` are paths inside it with what stands there: a text, or the path of a file or folder outside.
    """

    name: str
    image: str
    machine: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    files: Mapping[str, str | Path]
    published: tuple[tuple[str, int], ...]
    user: str
    healthcheck: tuple[str, ...]
    after: Mapping[str, str]
    is_once: bool


@dataclass(frozen=True, slots=True)
class Image:
    """What our own Dockerfile says of a container that says nothing itself."""

    command: tuple[str, ...]
    healthcheck: tuple[str, ...]
    environment: Mapping[str, str]
    user: str


def read_compose(path: Path, volumes: Path) -> dict[str, Container]:
    """The containers by name. Named volumes become folders below `volumes`."""
    document = YAML(typ="safe").load(path)
    configs = {name: one["content"] for name, one in document.get("configs", {}).items()}
    return {
        name: _container(name, one, path.parent, volumes, configs)
        for name, one in document["services"].items()
    }


def read_dockerfile(path: Path) -> Image:
    """CMD, HEALTHCHECK, ENV and USER of the last stage."""
    text = path.read_text().replace("\\\n", " ")
    last = text[text.rindex("\nFROM ") :]
    (cmd,) = re.findall(r"^CMD (.*)$", last, re.MULTILINE)
    (health,) = re.findall(r"^HEALTHCHECK .*CMD (.*)$", last, re.MULTILINE)
    (user,) = re.findall(r"^USER (.*)$", last, re.MULTILINE)
    environment = dict(
        pair.split("=", 1) for line in re.findall(r"^ENV (.*)$", last, re.MULTILINE) for pair in line.split()
    )  # fmt: skip
    return Image(tuple(json.loads(cmd)), tuple(json.loads(health)), environment, user)


def _container(
    name: str, one: Mapping[str, Any], folder: Path, volumes: Path, configs: Mapping[str, str]
) -> Container:
    unknown = set(one) - KEYS
    assert not unknown, f"{name}: no test runs what {sorted(unknown)} say"
    network = one.get("network_mode", OWN_NETWORK + name)
    assert network.startswith(OWN_NETWORK), f"{name}: network_mode {network}"
    files: dict[str, str | Path] = {}
    for volume in one.get("volumes", ()):
        outside, inside, *_ = volume.split(":")
        files[inside] = folder / outside if outside.startswith(".") else volumes / outside
    files |= {config["target"]: configs[config["source"]] for config in one.get("configs", ())}
    healthcheck = one.get("healthcheck", {}).get("test", ["CMD"])
    assert healthcheck[0] == "CMD", f"{name}: a healthcheck is a list of words"
    after = one.get("depends_on", {})
    return Container(
        name,
        one["image"],
        network.removeprefix(OWN_NETWORK),
        tuple(one.get("command", ())),
        {key: str(value) for key, value in one.get("environment", {}).items()},
        files,
        tuple(_port(text) for text in one.get("ports", ())),
        str(one.get("user", "")),
        tuple(healthcheck[1:]),
        {other: how["condition"] for other, how in after.items()},
        one.get("restart") == "no",
    )


def _port(text: str) -> tuple[str, int]:
    """The address outside and the port inside, which are one number here."""
    address, outside, inside = text.rsplit(":", 2)
    assert outside == inside, f"{text}: people are told one number"
    return address, int(inside)
