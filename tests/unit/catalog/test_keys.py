"""Which keys are routes, which come later, and what is said of the others."""

from __future__ import annotations

import pytest

from catalog import KvEntry, keys_digest
from catalog.keys import key_problem, route_name

NAME = "a route's name is made of letters, digits, _ . and -, in folders divided by one /"


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("mesh/routes/shop", "shop"),
        ("mesh/routes/team-a/shop_1.x", "team-a/shop_1.x"),
        ("mesh/routes/", None),
        ("mesh/routes", None),
        ("mesh/routes/a b", None),
        ("mesh/routes/a//b", None),
        ("mesh/routes/a/", None),
        ("mesh/routes/../x", None),
        ("mesh/routes/.", None),
        ("mesh/routes/ü", None),
        ("mesh/routes/" + "a" * 201, None),
        ("mesh/rotes/a", None),
    ],
)
def test_a_route_has_a_name_of_plain_segments(key: str, name: str | None) -> None:
    assert route_name(key) == name


@pytest.mark.parametrize(
    ("key", "sentence", "suggestion"),
    [
        ("mesh/routes/a b", f'{NAME}; did you mean "mesh/routes/a-b"?', "mesh/routes/a-b"),
        ("mesh/routes/a//b/", f'{NAME}; did you mean "mesh/routes/a/b"?', "mesh/routes/a/b"),
        ("mesh/routes/..", NAME, None),
        ("mesh/routes/" + "a" * 201, "a route's name has at most 200 characters", None),
        ("mesh/rotes/x", 'no one reads the key "mesh/rotes/x"; did you mean "mesh/routes/x"?', "mesh/routes/x"),
        ("mesh/route/a/b", 'no one reads the key "mesh/route/a/b"; did you mean "mesh/routes/a/b"?', "mesh/routes/a/b"),
        ("mesh/shop", 'no one reads the key "mesh/shop"; did you mean "mesh/routes/shop"?', "mesh/routes/shop"),
        ("mesh/ü", 'no one reads the key "mesh/ü"', None),
        ("mesh/setings", 'no one reads the key "mesh/setings"; did you mean "mesh/settings"?', "mesh/settings"),
        ("mesh/routes", 'no one reads the key "mesh/routes": names stand below mesh/routes/', None),
        ("mesh/banana/x", 'no one reads keys under "mesh/banana/"; routes stand under mesh/routes/', None),
        ("mesh/services/a b", '"a b" is no service\'s name: letters, digits, _ . and - make one', None),
        ("mesh/middlewares/x", "mesh/middlewares/ is not read by this version yet; the key changes nothing", None),
        ("mesh/tls/", "the host is missing behind mesh/tls/: put the value under it, as in mesh/tls/shop.example, and delete this key", None),
        ("mesh/routes/", "a route's name is missing behind mesh/routes/: put the value under a name, as in mesh/routes/shop, and delete this key", None),
        ("mesh/tests/", "a test's name is missing behind mesh/tests/: put the value under a name, as in mesh/tests/shop, and delete this key", None),
        ("mesh/services/", "the service's name is missing behind mesh/services/: put the value under it, as in mesh/services/cart, and delete this key", None),
        ("mesh/tls/*.a.example", '"*.a.example" is no host, as shop.example is one, or _wildcard.shop.example for *.shop.example; did you mean "mesh/tls/_wildcard.a.example"?', "mesh/tls/_wildcard.a.example"),
        ("mesh/tls/Shop.Example.", '"Shop.Example." is no host, as shop.example is one, or _wildcard.shop.example for *.shop.example; did you mean "mesh/tls/shop.example"?', "mesh/tls/shop.example"),
        ("mesh/tls/a_/b", '"a_/b" is no host, as shop.example is one, or _wildcard.shop.example for *.shop.example', None),
        ("mesh/upstreams/edge", '"edge" is no service of people\'s: the mesh uses it itself', None),
        ("mesh/drains/x", 'no one reads the key "mesh/drains/x"; did you mean "mesh/drain/x"?', "mesh/drain/x"),
        ("mesh/confrim", 'no one reads the key "mesh/confrim"; did you mean "mesh/confirm"?', "mesh/confirm"),
    ],
)  # fmt: skip
def test_a_key_no_one_reads_is_named(key: str, sentence: str, suggestion: str | None) -> None:
    found = key_problem(KvEntry(key, b"x", 7))
    assert found is not None
    assert (found.key, found.index, found.severity) == (key, 7, "error")
    assert found.message == sentence
    assert found.suggestion == suggestion


@pytest.mark.parametrize("key", ["mesh/", "mesh/routes/", "mesh/routes/team-a/", "mesh/banana/"])
def test_an_empty_folder_key_is_no_mistake(key: str) -> None:
    assert key_problem(KvEntry(key, b"", 7)) is None


def test_a_confirmation_holds_an_index() -> None:
    assert key_problem(KvEntry("mesh/confirm", b"4711\n", 7)) is None
    problem = key_problem(KvEntry("mesh/confirm", b"yes", 7))
    assert problem is not None
    sentence = "it holds the index by which keys went, a number; meshnode confirm writes it"
    assert problem.message == sentence


def test_the_digest_sees_each_key_index_and_deletion() -> None:
    one, two = KvEntry("mesh/routes/a", b"x", 1), KvEntry("mesh/routes/b", b"x", 2)
    assert keys_digest((one, two)) == keys_digest((two, one))
    seen = {keys_digest(()), keys_digest((one,)), keys_digest((two,)), keys_digest((one, two))}
    seen.add(keys_digest((one, KvEntry("mesh/routes/b", b"x", 3))))
    assert len(seen) == 5
