"""What a Consul says of itself."""

from tests.contract.subject import Subject


async def test_there_is_a_leader(consul: Subject) -> None:
    answer = await consul.call("GET", "/v1/status/leader")
    assert answer.status == 200
    host, _, port = answer.text.strip('"').rpartition(":")
    assert host.startswith("127.")
    assert int(port)
