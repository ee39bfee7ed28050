"""What the words of `meshnode plan` mean: a key and its value, or files."""

from pathlib import Path

import pytest

from meshnode.cli.wished import asked_of, wish_of
from meshnode.errors import UsageError

KEY = "mesh/routes/shop"
VALUE = "shop.example/ -> shop"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: str, text: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)


def test_a_key_and_its_value() -> None:
    assert wish_of([KEY, VALUE], None, []).values == {KEY: VALUE.encode()}


def test_a_value_stays_one_though_the_key_is_a_file() -> None:
    write(KEY, "old.example/ -> old")
    assert wish_of([KEY, VALUE], None, []).values == {KEY: VALUE.encode()}
    assert wish_of([KEY], None, []).values == {KEY: b"old.example/ -> old"}


def test_a_value_from_a_file() -> None:
    write("value", VALUE)
    assert wish_of([KEY], Path("value"), []).values == {KEY: VALUE.encode()}
    assert wish_of([KEY, "@value"], None, []).values == {KEY: VALUE.encode()}


def test_folders_beside_deletions() -> None:
    write("mesh/routes/a", "a/ -> a")
    write("mesh/routes/b.yaml", "host: b")
    found = wish_of(["mesh"], None, ["mesh/routes/c"]).values
    assert found == {
        "mesh/routes/a": b"a/ -> a",
        "mesh/routes/b": b"host: b",
        "mesh/routes/c": None,
    }


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "which keys"),
        (["nothing"], "no file or folder"),
        (["routes/shop", VALUE], 'did you mean "mesh/routes/shop"'),
        (["other/key", "1"], "no node reads it"),
        ([KEY, "shop.example/", "->", "shop"], "single quotes"),
        ([KEY, "@nothing"], "can not be read"),
    ],
)
def test_what_can_not_be_meant(words: list[str], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        wish_of(words, None, [])


def test_a_redirection_of_the_shell_is_told() -> None:
    """`shop.example/-> cart`, where standard output is the file."""
    with pytest.raises(UsageError, match=f"meshnode plan {KEY} 'shop.example/ -> cart'"):
        wish_of([KEY, "shop.example/-"], None, [], "/home/x/cart")


def test_requests_are_as_in_route_tests() -> None:
    (found,) = asked_of(["as web POST cart.mesh/x header.x-beta=1"])
    assert (found["source"], found["method"], found["host"]) == ("web", "POST", "cart.mesh")
    for wrong in ("GET /x", "a.example/ -> b", ""):
        with pytest.raises(UsageError, match="as in --request"):
            asked_of([wrong])
