"""What a plan says follows: keys, problems that are new, requests that move."""

from typing import Any

import pytest

from catalog import KvEntry, Problem, Resource
from meshnode.candidate.promise import Compared, Request, Side, Wish, promise, recorded, told
from meshnode.explain import Question

SHOP = KvEntry("mesh/routes/shop", b"shop.example/ -> shop", 7, create_index=3)


def answer(cluster: str, key: str = "mesh/routes/shop", **more: Any) -> dict[str, Any]:
    route = {"name": "shop", "key": key, "index": 7, "pattern": "shop.example/"}
    split = [{"cluster": cluster, "weight": 1}]
    return {"route": route, "split": split, "cluster": cluster, "answer": None, **more}


def side(*entries: KvEntry, problems: tuple[Problem, ...] = (), **routes: Resource) -> Side:
    return Side(entries, problems, routes)


def test_keys_are_as_after_a_put() -> None:
    wish = Wish({"mesh/routes/a": b"a", "mesh/routes/shop": b"new", "mesh/routes/z": None})
    found = wish.applied((SHOP, KvEntry("mesh/routes/z", b"z", 8)), 9)
    assert [(one.key, one.value, one.modify_index, one.create_index) for one in found] == [
        ("mesh/routes/a", b"a", 9, 9),
        ("mesh/routes/shop", b"new", 9, 3),
    ]


def test_the_same_value_changes_nothing() -> None:
    assert Wish({SHOP.key: SHOP.value}).applied((SHOP,), 9) == (SHOP,)


@pytest.mark.parametrize(
    ("value", "change"),
    [(b"other", "changed"), (SHOP.value, "same"), (None, "removed")],
)
def test_a_key_that_stands(value: bytes | None, change: str) -> None:
    (key,) = promise(Wish({SHOP.key: value}), side(SHOP), side(), (), ())["keys"]
    assert (key["change"], key["before"]) == (change, "shop.example/ -> shop")


def test_a_key_that_does_not_stand() -> None:
    wish = Wish({"mesh/routes/a": b"x", "mesh/routes/b": None})
    changes = [one["change"] for one in promise(wish, side(), side(), (), ())["keys"]]
    assert changes == ["added", "absent"]


def test_problems_of_others_are_told_where_they_are_new() -> None:
    known = Problem("mesh/routes/old", 4, "error", "bad since long")
    mine = Problem(SHOP.key, 9, "warning", "no service")
    new = Problem("mesh/tests/t", 2, "error", "would break")
    found = promise(
        Wish({SHOP.key: b"x"}),
        side(SHOP, problems=(known,)),
        side(problems=(known, mine, new)),
        (),
        (),
    )
    assert [one["message"] for one in found["elsewhere"]] == ["would break"]
    assert [one["message"] for one in found["keys"][0]["problems"]] == ["no service"]
    assert (found["is_good"], found["keys"][0]["is_refused"]) == (False, False)


def test_routes_of_other_keys_are_told() -> None:
    def route(name: str, index: int = 7, **more: Any) -> Resource:
        return {"key": f"mesh/routes/{name}", "index": index, **more}

    found = promise(
        Wish({"mesh/settings": b"timeout: 2s", "mesh/routes/own": b"x"}),
        side(a=route("a"), b=route("b"), own=route("own")),
        side(a=route("a", timeout_ms=2000), b=route("b", 8), own=route("own", 8, timeout_ms=2000)),
        (),
        (),
    )
    assert (found["other_routes"], [one["name"] for one in found["routes"]]) == (1, ["a"])
    assert found["routes"][0]["after"]["timeout_ms"] == 2000


def test_requests_that_move_are_counted() -> None:
    asked = Request(Question("shop.example").to_json(), 3)
    moved = Compared(asked, answer("shop"), answer("cart", "mesh/routes/cart"))
    stays = Compared(asked, answer("shop"), answer("shop"))
    found = promise(Wish({}), side(), side(), (stays,), (moved, stays))
    assert (found["recorded_requests"], found["moved_requests"]) == (6, 3)
    (told_moved,) = found["moved"]
    assert told_moved["before"]["says"] == "shop by mesh/routes/shop"
    assert told_moved["after"]["says"] == "cart by mesh/routes/cart"
    assert [one["is_moved"] for one in found["requests"]] == [False]


def test_another_index_alone_moves_nothing() -> None:
    later = answer("shop")
    later["route"] = {**later["route"], "index": 9}
    assert not Compared(Request({}), answer("shop"), later).is_moved


def test_a_change_that_no_word_shows_is_said() -> None:
    request = {"line": "GET / HTTP/1.1", "changes": []}
    header = [{"what": "header", "from": None, "to": "1", "by": "set"}]
    compared = Compared(
        Request({}),
        answer("shop", request=request, response_changes=[]),
        answer("shop", request=request, response_changes=header),
    )
    assert compared.to_json()["after"]["says"].endswith("other changes to request or answer")


def test_a_changed_path_is_told() -> None:
    request = {"line": "GET /7?a=b HTTP/1.1", "changes": [{"what": "path"}]}
    assert told(answer("cart", request=request)) == "cart by mesh/routes/shop, as GET /7?a=b"


def test_recorded_requests_are_of_kinds() -> None:
    one, other = Question("a.example", "/x"), Question("a.example", "/y", source="web")
    found = recorded([other, one, one])
    assert [(one.question["path"], one.question["listener"], one.count) for one in found] == [
        ("/x", "edge", 2),
        ("/y", "outbound", 1),
    ]
