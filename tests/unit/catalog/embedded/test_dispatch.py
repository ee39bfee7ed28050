"""Which route a path finds, and what is answered where there is none."""

import pytest

from catalog.embedded.answer import EMPTY, Answer
from catalog.embedded.call import Call, Route
from catalog.embedded.dispatch import Table, clean_path, method_answer
from catalog.embedded.errors import Redirected, Refused


async def handler(_call: Call) -> Answer:
    return EMPTY


EXACT = Route("/v1/connect/intentions", {"GET": handler})
BELOW = Route("/v1/connect/intentions/", {"GET": handler, "PUT": handler})
LONGER = Route("/v1/connect/intentions/exact/", {"GET": handler})
TABLE = Table((BELOW, EXACT, LONGER))


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/v1/connect/intentions", EXACT),
        ("/v1/connect/intentions/", BELOW),
        ("/v1/connect/intentions/x", BELOW),
        ("/v1/connect/intentions/exact/x", LONGER),
    ],
)
def test_the_longest_path_wins(path: str, route: Route) -> None:
    assert TABLE.find(path) is route


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/v1/acl/tokens", 501, "/v1/acl/tokens is not in the embedded registry"),
        ("/v1/event/fire/x", 501, "/v1/event/fire/x is not in the embedded registry"),
        ("/v1/nothing", 404, "not a recognized HTTP API endpoint"),
        ("/nothing", 404, "ensure the path starts with '/v1/'"),
        ("/", 200, "meshnode's embedded registry"),
    ],
)
def test_what_no_route_has(path: str, status: int, words: str) -> None:
    with pytest.raises(Refused) as refused:
        TABLE.find(path)
    assert refused.value.status == status
    assert words in refused.value.text


def test_a_folder_without_its_slash_is_sent_on() -> None:
    with pytest.raises(Redirected) as redirected:
        Table((LONGER,)).find("/v1/connect/intentions/exact")
    assert redirected.value.location == "/v1/connect/intentions/exact/"


def test_a_method_the_path_has_not_is_refused_with_those_it_has() -> None:
    assert method_answer(BELOW, "PUT") is None
    with pytest.raises(Refused) as refused:
        method_answer(BELOW, "POST")
    assert (refused.value.status, refused.value.headers) == (405, (("Allow", "OPTIONS,GET,PUT"),))
    asked = method_answer(BELOW, "OPTIONS")
    assert asked is not None
    assert asked.headers["Allow"] == "OPTIONS,GET,PUT"


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("/v1/kv/a", None),
        ("/v1/kv/", None),
        ("/", None),
        ("/v1/kv/a%2F%2Fb", None),
        ("/v1/kv/a//b", "/v1/kv/a/b"),
        ("/v1/kv/a/../b/", "/v1/kv/b/"),
        ("//v1/kv/a", "/v1/kv/a"),
        ("/../..", "/"),
    ],
)
def test_paths_are_cleaned(raw: str, cleaned: str | None) -> None:
    assert clean_path(raw) == cleaned
