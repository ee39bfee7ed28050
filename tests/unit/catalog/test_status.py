import hashlib
from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import ConsulUnreachable
from catalog.facts import SessionInfo
from catalog.model import KvEntry, Problem
from catalog.status import MAX_BYTES, PROBLEMS, Change, NodeStatus, read_signed, remember, signed
from catalog.status_reader import StatusReader

STATUS = NodeStatus(
    "node-1",
    generation=3,
    index=42,
    digest="sha256:x",
    changes=(Change(41, 1000), Change(42, 2000)),
    services=("cart", "web"),
    problems=(Problem("mesh/routes/a", 42, "error", "no setting is called so", 1, 2),),
    problem_count=1,
)


def sign(message: bytes, key: str = "key-1") -> str:
    return hashlib.sha256(key.encode() + message).hexdigest()


def verify(public_key: str, message: bytes, signature: str) -> bool:
    return sign(message, public_key) == signature


def put(status: NodeStatus = STATUS, session: str = "s-1", key: str = "key-1") -> KvEntry:
    value = signed(status, session, key, lambda message: sign(message, key))
    return KvEntry(f"meshnode/status/{status.node}", value, 50, session=session)


class Sessions:
    """Consul's word on sessions, counted."""

    def __init__(self, *infos: SessionInfo) -> None:
        self.infos = {info.id: info for info in infos}
        self.asked = 0

    async def info(self, session_id: str) -> SessionInfo | None:
        self.asked += 1
        return self.infos.get(session_id)


def session(session_id: str = "s-1", node: str = "node-1", key: str = "key-1") -> SessionInfo:
    return SessionInfo(session_id, f"meshnode {key}", node, 15.0, "delete")


def reader(sessions: Sessions) -> StatusReader:
    return StatusReader(sessions.info, verify, lambda key: f"meshnode {key}")


def test_a_status_is_read_as_it_was_written() -> None:
    found = read_signed(put())
    assert found.status == replace(STATUS, session="s-1", public_key="key-1")
    assert verify("key-1", found.message, found.signature)


def test_a_field_of_a_newer_node_is_signed_too() -> None:
    document = {**STATUS.to_json(), "later": 1}
    message = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    value = orjson.dumps({**document, "signature": sign(message)})
    found = read_signed(KvEntry("meshnode/status/node-1", value, 1))
    assert found.message == message


def test_a_status_of_an_older_node_that_does_not_say_its_admin_address_is_read() -> None:
    document = replace(STATUS, admin="10.0.0.11:7000").to_json()
    assert NodeStatus.from_json(document).admin == "10.0.0.11:7000"
    del document["admin"]
    assert NodeStatus.from_json(document) == STATUS


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b"", "no JSON"),
        (b"[]", "no status"),
        (b"\xff\x00", "no JSON"),
        (orjson.dumps(STATUS.to_json()), "not signed"),
        (orjson.dumps({**STATUS.to_json(), "index": -1, "signature": "x"}), "no status"),
        (orjson.dumps({**STATUS.to_json(), "problems": [1], "signature": "x"}), "no status"),
        (orjson.dumps({**STATUS.to_json(), "changes": {"a": 1}, "signature": "x"}), "no status"),
        (orjson.dumps({**STATUS.to_json(), "node": "node-2", "signature": "x"}), "stands at"),
    ],
)
def test_what_is_no_status_is_told_in_a_sentence(value: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_signed(KvEntry("meshnode/status/node-1", value, 1))


def test_a_status_never_outgrows_what_consul_takes() -> None:
    many = tuple(Problem(f"mesh/{at}", at, "error", "x" * 5000) for at in range(PROBLEMS + 50))
    entry = put(replace(STATUS, problems=many, problem_count=len(many)))
    found = read_signed(entry).status
    assert len(entry.value) <= MAX_BYTES + 1000
    assert 0 < len(found.problems) < PROBLEMS
    assert found.problem_count == len(many)


@given(st.lists(st.integers(0, 60), max_size=60))
def test_changes_are_the_last_sixteen_and_only_go_up(indexes: list[int]) -> None:
    changes: tuple[Change, ...] = ()
    for at, index in enumerate(indexes):
        changes = remember(changes, index, at)
    assert len(changes) <= 16
    assert [one.index for one in changes] == sorted({one.index for one in changes})


async def test_a_status_that_proves_itself_counts_and_its_session_is_asked_once() -> None:
    sessions = Sessions(session())
    reading = reader(sessions)
    for index in (42, 43, 44):
        found = await reading.read([put(replace(STATUS, index=index))], {"node-1"})
        assert [one.index for one in found.counted] == [index]
        assert not found.refused
    assert sessions.asked == 1


@pytest.mark.parametrize(
    ("entry", "info", "nodes", "words"),
    [
        (put(), session(), {"node-2"}, "no service meshnode is registered on node-1"),
        (replace(put(), session=None), session(), {"node-1"}, "put over"),
        (replace(put(), session="s-2"), session(), {"node-1"}, "put over"),
        (put(), session("s-9"), {"node-1"}, "does not live"),
        (put(), session(node="node-2"), {"node-1"}, "its session is one of node-2"),
        (put(key="mine"), session(), {"node-1"}, "made for another key"),
        (
            replace(put(), value=put().value.replace(b"42", b"43")),
            session(),
            {"node-1"},
            "signature",
        ),
        (replace(put(), value=b"{}"), session(), {"node-1"}, "no status"),
        (replace(put(), key="meshnode/status/node-2"), session(), {"node-2"}, "stands at"),
    ],
)
async def test_a_status_that_does_not_prove_itself_is_refused_with_a_reason(
    entry: KvEntry, info: SessionInfo, nodes: set[str], words: str
) -> None:
    found = await reader(Sessions(info)).read([entry], nodes)
    assert not found.counted
    [(node, reason)] = found.refused
    assert words in reason
    assert found.reasons == {node: reason}


async def test_one_bad_status_hides_no_good_one() -> None:
    bad = KvEntry("meshnode/status/node-0", b"\xff", 1)
    found = await reader(Sessions(session())).read([bad, put()], {"node-0", "node-1"})
    assert [one.node for one in found.counted] == ["node-1"]


async def test_a_session_that_cannot_be_asked_for_is_not_taken_for_dead() -> None:
    class Away(Sessions):
        async def info(self, session_id: str) -> SessionInfo | None:
            raise ConsulUnreachable("127.0.0.1:8500", session_id)

    away = Away()
    reading = StatusReader(away.info, verify, lambda key: f"meshnode {key}")
    with pytest.raises(ConsulUnreachable):
        await reading.read([put()], {"node-1"})
