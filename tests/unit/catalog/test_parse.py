import base64

import pytest

from catalog import parse
from catalog.errors import ConsulAnswerError
from catalog.model import KvEntry


def kv(key: str, value: bytes | None, index: int, **more: object) -> dict[str, object]:
    return {
        "LockIndex": 0,
        "Key": key,
        "Flags": 0,
        "Value": None if value is None else base64.b64encode(value).decode(),
        "CreateIndex": 1,
        "ModifyIndex": index,
        **more,
    }


NODE = {"Node": "node-1", "Address": "10.0.0.1"}
SERVICE = {"ID": "web-1", "Service": "web", "Tags": None, "Address": "", "Meta": None, "Port": 80}


def check(status: str, check_id: str = "c") -> dict[str, str]:
    return {"CheckID": check_id, "Status": status}


def test_keys_come_sorted_with_raw_values() -> None:
    entries = parse.kv_entries([kv("b", b"\0\xff", 3), kv("a", None, 2, Session="s")])
    assert entries == (
        KvEntry("a", b"", 2, create_index=1, session="s"),
        KvEntry("b", b"\0\xff", 3, create_index=1),
    )
    assert parse.kv_entries(None) == ()


def test_an_unchanged_key_is_the_same_object_again() -> None:
    before = parse.kv_entries([kv("a", b"1", 2), kv("b", b"2", 3)])
    known = {entry.key: entry for entry in before}
    after = parse.kv_entries([kv("a", b"1", 2), kv("b", b"3", 4)], known)
    assert after[0] is before[0]
    assert after[1].value == b"3"
    # A lock changes no ModifyIndex when it is let go by its session's end.
    locked = parse.kv_entries([kv("a", b"1", 2, Session="s")], known)
    assert locked[0].session == "s"


@pytest.mark.parametrize(
    ("checks", "status"),
    [
        ([], "passing"),
        ([check("passing"), check("warning")], "warning"),
        ([check("critical"), check("warning")], "critical"),
        ([check("critical"), check("critical", "_service_maintenance:web-1")], "maintenance"),
        ([check("critical", "_node_maintenance")], "maintenance"),
    ],
)
def test_an_instance_has_the_worst_of_its_checks(checks: list[object], status: str) -> None:
    found = parse.instances([{"Node": NODE, "Service": SERVICE, "Checks": checks}])
    assert [one.status for one in found] == [status]


def test_an_instance_has_weights_meta_and_kind() -> None:
    service = {
        **SERVICE,
        "Meta": {"b": "2", "a": "1"},
        "Weights": {"Passing": 10, "Warning": 0},
        "Kind": "connect-proxy",
        "Tags": ["x"],
        "Address": "10.9.9.9",
    }
    [found] = parse.instances([{"Node": NODE, "Service": service, "Checks": []}])
    assert (found.weight_passing, found.weight_warning, found.kind) == (10, 0, "connect-proxy")
    assert (found.meta, found.tags, found.host) == ((("a", "1"), ("b", "2")), ("x",), "10.9.9.9")


def test_an_intention_with_permissions_has_no_action() -> None:
    entry = {
        "Name": "web",
        "ModifyIndex": 7,
        "Sources": [
            {"Name": "a", "Action": "deny", "Precedence": 9, "Namespace": "default"},
            {"Name": "b", "Permissions": [{"Action": "allow"}], "Peer": "east"},
        ],
    }
    [found] = parse.intentions([entry])
    assert [(one.name, one.action, one.has_permissions) for one in found.sources] == [
        ("a", "deny", False),
        ("b", None, True),
    ]
    assert (found.sources[0].namespace, found.sources[1].peer) == ("", "east")


def test_a_checks_output_is_cut() -> None:
    document = [{**check("critical"), "Node": "n", "Output": "x" * 10_000}]
    assert len(parse.unhealthy_checks(document)[0].note) == parse.NOTE_CHARACTERS


@pytest.mark.parametrize(
    "document",
    [
        [{"Node": NODE, "Service": SERVICE}],
        [{"Node": NODE, "Service": {**SERVICE, "Port": "80"}, "Checks": []}],
        [{"Node": NODE, "Service": {**SERVICE, "Port": True}, "Checks": []}],
        [{"Node": {}, "Service": SERVICE, "Checks": []}],
        [{"Node": NODE, "Service": SERVICE, "Checks": [check("green")]}],
        {"Node": NODE},
        "text",
    ],
)
def test_another_shape_is_an_error_not_a_guess(document: object) -> None:
    with pytest.raises(ConsulAnswerError):
        parse.instances(document)


def test_services_that_are_no_mapping_are_an_error() -> None:
    assert parse.services({"b": ["2", "1"], "a": None}) == (("a", ()), ("b", ("1", "2")))
    documents: tuple[object, ...] = (None, [], "x")
    for document in documents:
        with pytest.raises(ConsulAnswerError):
            parse.services(document)


def test_a_node_the_catalog_does_not_know_has_no_services() -> None:
    assert parse.node_services(None) == ()
    [found] = parse.node_services({"Node": NODE, "Services": {"web-1": SERVICE}})
    assert (found.service, found.node_address) == ("web", "10.0.0.1")


def test_a_service_without_a_port_is_one() -> None:
    service = {name: value for name, value in SERVICE.items() if name != "Port"}
    (instance,) = parse.instances([{"Node": NODE, "Service": service, "Checks": []}])
    assert instance.port == 0


@pytest.mark.parametrize(
    ("check_id", "output", "note"),
    [
        ("disk", "91 % full\n", "91 % full"),
        ("disk", "", ""),
        ("_service_maintenance:web-1", "", "new disk"),
        ("_node_maintenance", "", "new disk"),
    ],
)
def test_the_reason_of_maintenance_is_its_note(check_id: str, output: str, note: str) -> None:
    """Consul keeps it where the notes are that a service's registration has; those are no word of a check."""
    one = {"Node": "node-1", **check("critical", check_id), "Output": output, "Notes": "new disk"}
    assert parse.unhealthy_checks([one])[0].note == note
