"""The demo's screen: true for any number of nodes, wherever the ports went, and pasted without harm."""

import shlex
from pathlib import Path

import pytest

from meshnode.dev.activate import activate
from meshnode.dev.addresses import Moved
from meshnode.dev.plan import Node, Place, Plan, Service
from meshnode.dev.screen import Shown, screen, where

NAMES = (("front",), ("cart", "cart-next"), ("stock",))


def plan(*, registry: str = "127.0.0.1:8500", edge: str = "127.0.0.1:8080") -> Plan:
    nodes = tuple(
        Node(
            Place(f"node-{number}", f"127.0.0.1{number}", f"127.0.0.1{number}:8500"),
            tuple(Service(name, 9000, 15000) for name in names),
            edge if number == 1 else None,
            f"127.0.0.1{number}:7443",
            "127.0.0.1:7000",
        )
        for number, names in enumerate(NAMES, start=1)
    )
    return Plan(nodes, registry)


def shown(**changes: object) -> Shown:
    usual: dict[str, object] = {
        "is_embedded": True,
        "moved": (),
        "kept_in": None,
        "logs": Path("/home/a/logs"),
        "activate": ". .venv/bin/activate",
        "environment": {},
    }
    return Shown(**{**usual, **changes})  # type: ignore[arg-type]


def test_the_screen_says_who_runs_where() -> None:
    text = "\n".join(screen(plan(), shown()))
    assert (
        "Three nodes on this machine, configuration in the embedded registry at 127.0.0.1:8500 "
        in text
    )
    assert "    node-1  127.0.0.11   front              edge http://127.0.0.1:8080\n" in text
    assert "    node-2  127.0.0.12   cart, cart-next    admin http://127.0.0.1:7000\n" in text
    assert "    node-3  127.0.0.13   stock\n" in text
    assert (
        "One route: shop  'shop.test/ -> front'. front calls cart, cart calls stock, encrypted"
        in text
    )
    assert 'callers = "port"' in text
    assert "Try in another terminal (. .venv/bin/activate):" in text


def test_usual_ports_need_no_flag() -> None:
    text = "\n".join(screen(plan(), shown()))
    assert "--consul" not in text
    assert "    3  meshnode trace last" in text


@pytest.mark.parametrize(
    ("registry", "environment"),
    [("127.0.0.1:8501", {}), ("127.0.0.1:8500", {"CONSUL_HTTP_ADDR": "10.0.0.1:8500"})],
)
def test_another_registry_is_named_in_every_command(
    registry: str, environment: dict[str, str]
) -> None:
    lines = screen(plan(registry=registry), shown(environment=environment))
    commands = [line for line in lines if " meshnode " in line]
    assert len(commands) == 3
    assert all(f" --consul {registry} " in line for line in commands)
    assert any(f"consul kv put -http-addr={registry}" in line for line in lines)


def test_each_suggestion_is_a_line_to_itself() -> None:
    lines = screen(plan(), shown())
    first = next(number for number, line in enumerate(lines) if "Try in" in line) + 1
    rest = [line[7:] for line in lines[first:] if line]
    commands = [line for line in rest if not line.startswith("  (")]
    assert [shlex.split(one)[0] for one in commands[:-1]] == [
        "curl", "meshnode", "curl", "meshnode", "meshnode",
    ]  # fmt: skip
    # A zsh at the prompt takes no comment.
    assert not any("#" in line for line in lines)
    assert shlex.split(commands[1])[-1] == "shop.test/cart -> cart 50%, cart-next 50%"
    assert lines[-2:] == ["  Ctrl-C ends all of it.", ""]


def test_a_terminal_gets_lines_that_fit_it() -> None:
    lines = screen(plan(), shown(columns=80))
    commands = [line for line in lines if is_command(line)]
    assert commands == [line for line in screen(plan(), shown()) if is_command(line)]
    assert all(len(line) < 80 for line in lines if line not in commands)
    whole = " ".join(" ".join(lines).split())
    assert "in the embedded registry at 127.0.0.1:8500 (speaks Consul's API;" in whole


def is_command(line: str) -> bool:
    return line[7:].startswith(("curl ", "meshnode "))


def test_moved_ports_are_named_where_people_type_them() -> None:
    moved = [
        Moved("the edge", 8080, 8081, is_typed=True),
        Moved("the mesh", 7443, 7444, is_typed=False),
        Moved("cart", 9001, 9005, is_typed=False),
    ]
    text = "\n".join(screen(plan(edge="127.0.0.1:8081"), shown(moved=moved)))
    assert "Taken by others, so moved: the edge 8080 → 8081, 2 ports inside the mesh." in text
    assert "curl -H 'Host: shop.test' http://127.0.0.1:8081/" in text


def test_a_real_consul_is_named_and_left_as_it_was() -> None:
    text = "\n".join(screen(plan(), shown(is_embedded=False)))
    assert "configuration in Consul at 127.0.0.11:8500, 127.0.0.12:8500, 127.0.0.13:8500." in text
    assert "taken out of Consul again" in text


def test_kept_keys_are_told() -> None:
    assert "kept in /data" in "\n".join(screen(plan(), shown(kept_in=Path("/data"))))


def test_one_that_runs_is_told_by_its_addresses() -> None:
    assert where(plan()) == (
        "edge http://127.0.0.1:8080, registry 127.0.0.1:8500, admin http://127.0.0.1:7000"
    )


def test_activation_is_told_where_the_command_is_not_on_the_path(tmp_path: Path) -> None:
    home = tmp_path / ".venv"
    (home / "bin").mkdir(parents=True)
    for name in ("activate", "activate.fish", "meshnode"):
        (home / "bin" / name).write_text("")
    (home / "bin" / "meshnode").chmod(0o755)
    on_path = {"PATH": str(home / "bin")}
    assert activate(home, {"PATH": "/nowhere"}, tmp_path) == ". .venv/bin/activate"
    assert activate(home, {}, tmp_path / "elsewhere") == f". {home}/bin/activate"
    assert activate(home, {"SHELL": "/usr/bin/fish"}, tmp_path) == ". .venv/bin/activate.fish"
    assert activate(home, on_path, tmp_path) == ""
    # Active in this terminal: the other one has to do it too.
    assert activate(home, {**on_path, "VIRTUAL_ENV": str(home)}, tmp_path) != ""
