"""What a Consul says of itself."""

import pytest

from tests.contract.subject import Subject


async def test_there_is_a_leader(consul: Subject) -> None:
    answer = await consul.call("GET", "/v1/status/leader")
    assert answer.status == 200
    host, _, port = answer.text.strip('"').rpartition(":")
    assert host.startswith("127.")
    assert int(port)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["node-1"]),
        ("filter=Name==x", []),
        ('filter=Name=="node-1"+and+Status==1', ["node-1"]),
        ("filter=Tags.role==consul", ["node-1"]),
        ("wan=1", []),
    ],
)
async def test_members(consul: Subject, query: str, names: list[str]) -> None:
    members = await consul.api("GET", f"/v1/agent/members?{query}")
    assert [member["Name"] for member in members or ()] == names


async def test_a_filter_of_members_names_what_they_have(consul: Subject) -> None:
    answer = await consul.call("GET", "/v1/agent/members?filter=Zip==1")
    words = 'Failed to create boolean expression evaluator: Selector "Zip" is not valid'
    assert (answer.status, answer.text) == (500, words)


async def test_the_command_shows_members(consul: Subject) -> None:
    assert "node-1" in (await consul.cli("members", "-detailed")).stdout
    for none in (("-filter", "Name == x"), ("-wan",)):
        assert (await consul.cli("members", *none, check=False)).code == 2
