import pytest

from catalog.client import ConsulClient
from catalog.errors import ConsulAnswerError, ConsulDenied, ConsulUnreachable
from catalog.transport import Address, Answer
from tests.support import free_port
from tests.support.fake_consul import FakeConsul, Scripted

DENIED = b"rpc error making call: Permission denied: token with AccessorID 'x' lacks permission 'key:write' on \"mesh/a\""


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("127.0.0.1:8500", "http://127.0.0.1:8500"),
        ("consul.example", "http://consul.example:8500"),
        ("https://consul.example", "https://consul.example:8501"),
        ("http://[::1]:18500/", "http://[::1]:18500"),
    ],
)
def test_an_address_is_taken_as_people_write_it(text: str, url: str) -> None:
    assert Address.parse(text).url == url


@pytest.mark.parametrize("text", ["", "unix:///run/consul.sock", "http://h:1/v1", "http://"])
def test_what_is_no_address_is_told_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="is no address of Consul"):
        ConsulClient(text)


async def test_calls_share_one_connection_which_is_kept() -> None:
    async with FakeConsul() as fake, ConsulClient(fake.address) as client:
        for number in range(20):
            assert await client.kv_put(f"mesh/{number}", b"x")
        assert client.cost.connections == fake.most_connections == 1
        assert client.cost.requests == 20
        assert client.cost.sent_bytes == 20


async def test_headers_are_kept() -> None:
    async with FakeConsul() as fake, ConsulClient(fake.address) as client:
        headers = {"X-Consul-Results-Filtered-By-ACLs": "true", "X-Consul-Index": "17"}
        fake.script("/v1/kv/mesh/", Scripted(headers=headers, body=b"[]"))
        answer = await client.calls.leader()
        assert (answer.index, answer.is_filtered, answer.default_policy) == (
            fake.index,
            False,
            "allow",
        )
        with pytest.raises(ConsulDenied):
            await client.kv_list("mesh/")


async def test_a_404_of_another_than_consul_is_no_empty_answer() -> None:
    async with FakeConsul() as fake, ConsulClient(fake.address) as client:
        reads = {
            "/v1/kv/": lambda: client.kv_list("mesh/"),
            "/v1/kv/mesh/a": lambda: client.kv_get("mesh/a"),
            "/v1/catalog/node/": lambda: client.services_on_node("node-1"),
            "/v1/session/info/": lambda: client.session_info("s"),
            "/v1/health/service/": lambda: client.instances("meshnode"),
            "/v1/config/": client.intentions,
        }
        for path, read in reads.items():
            fake.script(path, Scripted(status=404, is_foreign=True))
            with pytest.raises(ConsulAnswerError, match="is this the address of its HTTP API"):
                await read()
        fake.script("/v1/kv/", Scripted(status=404, is_foreign=True))
        with pytest.raises(ConsulAnswerError, match="is this the address of its HTTP API"):
            await client.kv_list("mesh/")


async def test_a_host_nobody_knows_is_told_so() -> None:
    async with ConsulClient("no-such-host.invalid:8500") as client:
        with pytest.raises(ConsulUnreachable, match="no such host is known"):
            await client.kv_get("mesh/a")


async def test_a_port_without_tls_is_told_so() -> None:
    async with FakeConsul() as fake, ConsulClient(f"https://{fake.address}") as client:
        with pytest.raises(ConsulUnreachable, match="no TLS is spoken there"):
            await client.kv_get("mesh/a")


async def test_the_token_is_sent_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSUL_HTTP_TOKEN", "another")
    monkeypatch.setenv("CONSUL_HTTP_ADDR", "127.0.0.1:1")
    async with FakeConsul() as fake, ConsulClient(fake.address, "secret") as client:
        await client.kv_put("mesh/a", b"x")
        assert fake.tokens == ["secret"]
        assert "secret" not in repr(client) + repr(client.cost) + str(vars(client))


async def test_nobody_there_is_told_with_address_and_what_to_check() -> None:
    address = f"127.0.0.1:{free_port()}"
    async with ConsulClient(address) as client:
        with pytest.raises(ConsulUnreachable) as caught:
            await client.kv_get("mesh/a")
    assert str(caught.value) == (
        f"Consul at {address} does not answer (connection refused): "
        "is its agent running (`consul members`), and is this its HTTP address?"
    )
    assert client.cost.errors == 1


async def test_silence_ends_after_the_timeout() -> None:
    async with FakeConsul() as fake, ConsulClient(fake.address, timeout_s=0.1) as client:
        fake.hang()
        with pytest.raises(ConsulUnreachable, match=r"nothing within 0\.1 s"):
            await client.kv_get("mesh/a")
        fake.resume()
        assert await client.kv_get("mesh/a") is None


async def test_a_cut_answer_is_no_answer() -> None:
    async with FakeConsul() as fake, ConsulClient(fake.address) as client:
        fake.script("/v1/kv/", Scripted(body=b'[{"Key":', is_cut=True))
        with pytest.raises(ConsulUnreachable):
            await client.kv_get("mesh/a")


@pytest.mark.parametrize(
    "body", [b"[{", b"\xff", b'"text"', b"[1]", b"{}", b'[{"Key":1}]', b'[{"Key":"a","Value":7}]']
)
async def test_a_strange_body_is_an_error_with_a_sentence(body: bytes) -> None:
    async with FakeConsul() as fake, ConsulClient(fake.address) as client:
        fake.script("/v1/kv/", Scripted(body=body))
        with pytest.raises(ConsulAnswerError, match="Consul answered 200: a"):
            await client.kv_list("mesh/")


async def test_a_refusal_names_the_missing_right() -> None:
    async with FakeConsul() as fake, ConsulClient(fake.address) as client:
        fake.script("/v1/kv/", Scripted(status=403, body=DENIED))
        with pytest.raises(ConsulDenied) as caught:
            await client.kv_put("mesh/a", b"x")
    assert caught.value.what == 'key_prefix "mesh/" write'


@pytest.mark.parametrize("status", [400, 413, 429, 500, 503])
async def test_other_refusals_carry_status_and_words(status: int) -> None:
    async with FakeConsul() as fake, ConsulClient(fake.address) as client:
        fake.script("/v1/kv/", Scripted(status=status, body=b"No cluster leader\n" + b"x" * 5000))
        with pytest.raises(ConsulAnswerError) as caught:
            await client.kv_put("mesh/a", b"x")
    assert caught.value.status == status
    assert caught.value.text.startswith("No cluster leader")
    assert len(caught.value.text) <= 300


async def test_a_redirection_is_not_followed() -> None:
    async with FakeConsul() as fake, ConsulClient(fake.address) as client:
        fake.script("/v1/kv/", Scripted(status=307, headers={"Location": "/v1/kv/elsewhere"}))
        with pytest.raises(ConsulAnswerError, match="redirection"):
            await client.kv_put("mesh/a", b"x")
        assert not fake.keys


async def test_a_key_with_a_leading_slash_is_told_the_right_one() -> None:
    async with ConsulClient() as client:
        with pytest.raises(ValueError, match='write "mesh/a"'):
            await client.kv_put("/mesh/a", b"")


@pytest.mark.parametrize("text", ["", "-1", "abc", "1.5", "٣"])
def test_an_index_that_is_no_number_counts_as_none(text: str) -> None:
    assert Answer(200, {"X-Consul-Index": text}, b"").index == 0
