"""The real `consul` command on services, the catalog, members, intentions and config entries."""

from pathlib import Path

from tests.contract.subject import NODE, Subject

FILE = """
service {
  name = "web"
  port = 80
  tags = ["a"]
  meta = { zone = "x" }
  check {
    name = "alive"
    tcp = "127.0.0.1:1"
    interval = "60s"
    timeout = "1s"
  }
}
"""
ENTRY = """
Kind = "service-intentions"
Name = "db"
Sources = [
  { Name = "*", Action = "deny" },
  { Name = "web", Action = "allow", Description = "reads" },
]
"""


async def test_services_are_registered_by_flags_and_files(consul: Subject, tmp_path: Path) -> None:
    shown = await consul.cli("services", "register", "-name=api", "-port=81", "-tag=t", "-meta=k=v")
    assert shown.stdout.strip() == "Registered service: api"
    (tmp_path / "web.hcl").write_text(FILE)
    await consul.cli("services", "register", tmp_path / "web.hcl")
    found = await consul.api("GET", "/v1/agent/services")
    assert (found["api"]["Port"], found["api"]["Tags"], found["api"]["Meta"]) == (
        81,
        ["t"],
        {"k": "v"},
    )
    assert found["web"]["Meta"] == {"zone": "x"}
    check = (await consul.api("GET", "/v1/agent/checks"))["service:web"]
    assert (check["Name"], check["Type"], check["Interval"]) == ("alive", "tcp", "1m0s")
    assert (await consul.cli("catalog", "services")).stdout.split() == ["api", "consul", "web"]
    assert "zone" not in (await consul.cli("catalog", "services", "-tags")).stdout
    await consul.cli("services", "deregister", "-id=api")
    await consul.cli("services", "deregister", tmp_path / "web.hcl")
    assert await consul.api("GET", "/v1/agent/services") == {}
    gone = await consul.cli("services", "deregister", "-id=api", check=False)
    assert gone.code == 1
    assert 'Unknown service ID "api"' in gone.stderr + gone.stdout


async def test_the_catalog_is_shown(consul: Subject) -> None:
    await consul.api(
        "PUT",
        "/v1/catalog/register",
        body={"Node": "ext", "Address": "1.2.3.4", "Service": {"Service": "db"}},
    )
    lines = (await consul.cli("catalog", "nodes")).stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["Node", "ext", NODE]
    only = (await consul.cli("catalog", "nodes", "-service=db")).stdout
    assert "ext" in only
    assert NODE not in only
    assert (await consul.cli("catalog", "datacenters")).stdout.split() == ["dc1"]
    assert (await consul.cli("catalog", "services", "-node=ext")).stdout.split() == ["db"]


async def test_intentions_by_the_command(consul: Subject) -> None:
    made = await consul.cli("intention", "create", "-deny", "web", "db")
    assert made.stdout.strip() == "Created: web => db (deny)"
    again = await consul.cli("intention", "create", "-allow", "web", "db", check=False)
    assert again.code == 1
    await consul.cli("intention", "create", "-allow", "-replace", "web", "db")
    await consul.cli("intention", "create", "-deny", "*", "db")
    shown = (await consul.cli("intention", "get", "web", "db")).stdout
    assert "allow" in shown
    lines = (await consul.cli("intention", "list")).stdout.splitlines()
    assert [line.split()[-4:] for line in lines] == [
        ["Source", "Action", "Destination", "Precedence"],
        ["web", "allow", "db", "9"],
        ["*", "deny", "db", "8"],
    ]
    assert (await consul.cli("intention", "check", "web", "db")).stdout.strip() == "Allowed"
    denied = await consul.cli("intention", "check", "other", "db", check=False)
    assert (denied.code, denied.stdout.strip()) == (1, "Denied")
    matched = (await consul.cli("intention", "match", "db")).stdout.split()
    assert matched == ["web", "=>", "db", "(allow)", "*", "=>", "db", "(deny)"]
    await consul.cli("intention", "delete", "web", "db")
    await consul.cli("intention", "delete", "*", "db")
    assert await consul.api("GET", "/v1/connect/intentions") == []


async def test_config_entries_by_the_command(consul: Subject, tmp_path: Path) -> None:
    (tmp_path / "db.hcl").write_text(ENTRY)
    await consul.cli("config", "write", tmp_path / "db.hcl")
    listed = await consul.cli("config", "list", "-kind=service-intentions")
    assert listed.stdout.split() == ["db"]
    shown = await consul.cli("config", "read", "-kind=service-intentions", "-name=db")
    assert '"Description": "reads"' in shown.stdout
    sources = (await consul.api("GET", "/v1/config/service-intentions/db"))["Sources"]
    assert [one["Name"] for one in sources] == ["web", "*"]
    await consul.cli("config", "delete", "-kind=service-intentions", "-name=db")
    assert await consul.api("GET", "/v1/config/service-intentions") == []
    missing = await consul.cli(
        "config", "read", "-kind=service-intentions", "-name=db", check=False
    )
    assert missing.code == 1


async def test_members(consul: Subject) -> None:
    lines = (await consul.cli("members")).stdout.splitlines()
    assert lines[1].split()[0] == NODE
    assert lines[1].split()[2:4] == ["alive", "server"]
