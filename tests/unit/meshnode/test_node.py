"""What the agent makes of its settings for others: facts, registration, the log, the rooms."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import pytest

from meshnode.agent.consul_side import registration_of
from meshnode.agent.facts import Me, node_facts, uid_of
from meshnode.config import Given, Settings, read_settings
from meshnode.log import OneLine, set_up
from meshnode.rooms import check_rooms


def settings(**environment: str) -> Settings:
    return read_settings(
        Given({}, {f"MESHNODE_{name}": word for name, word in environment.items()})
    )


def test_who_we_are_is_kept(tmp_path: Path) -> None:
    me = Me("node-1", "dc1", "10.0.0.1", acls_deny=True)
    (tmp_path / "node.json").write_bytes(me.to_json())
    assert Me.load(tmp_path / "node.json") == me
    assert Me.load(tmp_path / "none") is None
    (tmp_path / "node.json").write_bytes(b"{}")
    assert Me.load(tmp_path / "node.json") is None


def test_facts_are_equal_as_long_as_nothing_changed() -> None:
    me = Me("node-1", "dc1", "10.0.0.1", acls_deny=False)
    assert node_facts(settings(), me, None) == node_facts(settings(), me, None)
    assert node_facts(settings(EDGE_ADDRESS="off"), me, "t").edge_address is None


def test_users_are_known_by_name_and_number() -> None:
    assert (uid_of("root"), uid_of("4711"), uid_of("no-such-user-here")) == (0, 4711, None)


@pytest.mark.parametrize(
    ("environment", "address", "mesh", "edge"),
    [
        ({}, "", 7443, 8080),
        ({"MESH_ADDRESS": "10.0.0.7:7000"}, "10.0.0.7", 7000, 8080),
        ({"MESH_ADVERTISE": "192.0.2.1", "EDGE_ADDRESS": "off"}, "192.0.2.1", 7443, None),
        ({"MESH_ADVERTISE": "192.0.2.1:17443"}, "192.0.2.1", 17443, 8080),
        (
            {"MESH_ADDRESS": "10.0.0.7:7000", "MESH_ADVERTISE": "[2001:db8::1]:443"},
            "2001:db8::1",
            443,
            8080,
        ),
        ({"MESH_ADDRESS": "[::]:7443"}, "", 7443, 8080),
    ],
)
def test_others_are_told_an_address_they_can_dial(
    environment: dict[str, str], address: str, mesh: int, edge: int | None
) -> None:
    made = registration_of(settings(**environment))
    assert (made.address, made.mesh_port, made.edge_port) == (address, mesh, edge)


def test_what_others_wrote_makes_no_line_of_its_own() -> None:
    record = logging.LogRecord(
        "m", logging.INFO, "f", 1, "key %s", ("a\nINFO forged\x1b[2J",), None
    )
    line = OneLine("%(message)s").format(record)
    assert line == "key a\\nINFO forged\\x1b[2J"


def test_the_log_is_set_up_once() -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        stream = io.StringIO()
        set_up("info", is_journal=True, stream=stream)
        logging.getLogger("meshnode.x").info("hello")
        assert stream.getvalue() == "INFO    meshnode.x: hello\n"
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


def test_our_rooms_are_ours() -> None:
    check_rooms()
