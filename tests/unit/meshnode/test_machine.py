"""What a machine has to say against settings: ports in one another's way, addresses, files, folders, limits."""

from __future__ import annotations

import resource
import socket
from pathlib import Path

import pytest

from meshnode.config import Given, Mistake, examine_settings
from meshnode.config.door import door
from meshnode.config.machine import examine_machine, few_handles
from tests.support import free_port


@pytest.fixture
def well(tmp_path: Path) -> dict[str, str]:
    """Settings against which nothing can be said."""
    proxy = tmp_path / "proxy"
    proxy.write_text("")
    proxy.chmod(0o755)
    return {
        "edge.address": f"127.0.0.1:{free_port('127.0.0.1')}",
        "mesh.address": f"127.0.0.1:{free_port('127.0.0.1')}",
        "admin.address": f"127.0.0.1:{free_port('127.0.0.1')}",
        "outbound.ports": "1-2",
        "proxy.binary": str(proxy),
        "state_folder": str(tmp_path / "state"),
    }


def mistakes(path: Path, settings: dict[str, str]) -> list[Mistake]:
    path.write_text("".join(f'{name} = "{value}"\n' for name, value in settings.items()))
    path.chmod(0o600)
    examined = examine_settings(Given({}, {}, path))
    assert examined.mistakes == ()
    return [one for one in examine_machine(examined) if one.place.name != "this machine"]


def only(found: list[Mistake]) -> str:
    assert len(found) == 1, found
    return str(found[0])


def test_nothing_is_said_against_what_is_well(tmp_path: Path, well: dict[str, str]) -> None:
    assert mistakes(tmp_path / "m.toml", well) == []
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("admin.address", "{mesh}", "the admin API and the mesh (mesh.address) both want port"),
        ("edge.address", "0.0.0.0:{mesh_port}", "the mesh and the edge (edge.address) both want port"),
        ("outbound.ports", "{mesh_port}-{mesh_port}", "the outbound ports and the mesh (mesh.address) both want"),
        ("mesh.address", "192.0.2.1:7443", "this machine has no address 192.0.2.1:7443"),
        ("consul.token_file", "/no/such/file", "/no/such/file can not be read (No such file or directory)"),
        ("proxy.binary", "/no/such/proxy", "is not there or may not be run"),
        ("certificates.key_encryption_key_file", "/no/such/key.json", "there is no folder /no/such: make it"),
        ("run_folder", "/x" * 60, "is too long for a Unix socket"),
        ("state_folder", "/dev/null/state", "/dev/null is no folder"),
    ],
)  # fmt: skip
def test_what_is_in_the_way_is_said_with_its_place(
    tmp_path: Path, well: dict[str, str], name: str, value: str, words: str
) -> None:
    mesh = well["mesh.address"]
    filled = value.format(mesh=mesh, mesh_port=mesh.rpartition(":")[2])
    said = [str(one) for one in mistakes(tmp_path / "m.toml", {**well, name: filled})]
    assert any(words in one for one in said), said
    assert all(one.startswith(f"{tmp_path}/m.toml:") for one in said), said


def test_a_taken_port_is_said_unless_the_node_itself_has_it(
    tmp_path: Path, well: dict[str, str]
) -> None:
    host, _, port = well["mesh.address"].rpartition(":")
    with socket.create_server((host, int(port))):
        said = only(mistakes(tmp_path / "m.toml", well))
        assert "is taken by another program, so the mesh can not listen there" in said
        folder = tmp_path / "state" / "run"
        folder.mkdir(parents=True)
        with socket.socket(socket.AF_UNIX) as control:
            control.bind(str(folder / "proxy.sock"))
            assert mistakes(tmp_path / "m.toml", well) == []


@pytest.mark.parametrize(
    ("name", "mode", "is_well"),
    [
        ("consul.token_file", 0o600, True),
        ("consul.token_file", 0o640, True),
        ("consul.token_file", 0o644, False),
        ("certificates.key_encryption_key_file", 0o600, True),
        ("certificates.key_encryption_key_file", 0o640, False),
    ],
)
def test_a_secret_that_others_may_read_is_said(
    tmp_path: Path, well: dict[str, str], name: str, mode: int, *, is_well: bool
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s")
    secret.chmod(mode)
    found = mistakes(tmp_path / "m.toml", {**well, name: str(secret)})
    assert (found == []) == is_well, found
    assert is_well or f"run chmod 600 {secret}" in only(found)


def test_a_token_in_an_open_settings_file_is_said(tmp_path: Path, well: dict[str, str]) -> None:
    path = tmp_path / "m.toml"
    assert mistakes(path, {**well, "consul.token": "t"}) == []
    path.chmod(0o644)
    (found,) = [
        one
        for one in examine_machine(examine_settings(Given({}, {}, path)))
        if one.place.name != "this machine"
    ]
    assert "others may read it here" in str(found)


def test_few_file_handles_are_a_warning_and_very_few_a_mistake() -> None:
    assert list(few_handles(resource.RLIM_INFINITY)) == list(few_handles(100_500)) == []
    (few,), (very_few,) = few_handles(20_000), few_handles(512)
    assert (few.is_warning, very_few.is_warning) == (True, False)
    assert "is 20,000, enough for some 9,750 connections" in few.sentence


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({}, "open TCP 7443 between the machines of the mesh, and nothing else"),
        ({"mesh_address": "10.0.0.1:9443"}, "open TCP 9443"),
        ({"mesh_address": "127.0.0.1:7443"}, "only nodes on this machine reach it"),
        ({"mesh_advertise": "203.0.113.5"}, "open TCP 7443"),
        ({"mesh_advertise": "203.0.113.5:17443"}, "forward TCP 17443 there to TCP 7443 here"),
    ],
)
def test_the_one_port_to_open_is_named(flags: dict[str, object], words: str) -> None:
    settings = examine_settings(Given(flags, {})).settings
    assert settings is not None
    assert words in door(settings)
