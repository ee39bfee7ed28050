"""Wrong words on the command line are answered by a sentence that says what was meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshnode.cli.app import app
from meshnode.cli.misuse import file_of, is_bare, is_misuse, sentence_of, unquoted
from meshnode.errors import UsageError

CASES = {
    "statsu": '"meshnode" has no command "statsu"; did you mean "status"? (`meshnode --help` says what there is)',
    "zzzz": '"meshnode" has no command "zzzz" (`meshnode --help` says what there is)',
    "kv ptu a b": '"meshnode kv" has no command "ptu"; did you mean "put"?',
    "status --jsno": '"meshnode status" has no option --jsno; did you mean "--json"?',
    "agent --edge-addres x": '"meshnode agent" has no option --edge-addres; did you mean "--edge-address"?',
    "services cart": '"meshnode services" takes no more words: "cart" is too many (`meshnode services --help`',
    "trace": "TRACE-ID is missing, as in: meshnode trace last (`meshnode trace --help`",
    "intentions deny cart": "DESTINATION is missing, as in: meshnode intentions deny edge shop",
    "completion ksh": "SHELL: 'ksh' is not one of 'bash', 'zsh', 'fish' (`meshnode completion --help`",
    "dev --nodes two": "--nodes is a whole number (`meshnode dev --help`",
    "diff abc": "INDEX is a whole number, as in: meshnode diff 4711 (`meshnode diff --help`",
    "diff 4711 abc": "INDEX is a whole number",
    "dev --nodes 0": "--nodes: input should be greater than or equal to 1",
    "dev --nodes": "what --nodes is to be is missing (`meshnode dev --help`",
    "kv put mesh/routes/a shop.test/ to cart": "in single quotes: meshnode kv put mesh/routes/a 'shop.test/ to cart'",
}


def misuse_of(words: list[str]) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011  (typer's errors have no public name)
        app(words, prog_name="meshnode", standalone_mode=False)
    assert is_misuse(caught.value)
    return caught.value


@pytest.mark.parametrize("line", CASES)
def test_a_sentence_says_what_was_meant(line: str) -> None:
    words = line.split()
    assert CASES[line] in sentence_of(misuse_of(words), words, None)


def test_a_group_alone_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert is_bare(misuse_of(["kv"]))
    assert "Write one key" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("shop.test/cart -", "shop.test/cart -> cart"),
        ("shop.test/cart-", "shop.test/cart -> cart"),
        ("shop.test/cart - 50%, cart-next 50%", "shop.test/cart -> cart 50%, cart-next 50%"),
    ],
)
def test_an_arrow_that_the_shell_took_is_put_back(typed: str, meant: str) -> None:
    """`-> cart` leaves `-`, and a file of that name."""
    words = ["kv", "put", "--consul", "127.0.0.1:8500", "mesh/routes/a", *typed.split()]
    sentence = unquoted(words, "/home/a/cart")
    assert "went to the file /home/a/cart" in sentence
    assert sentence.endswith(f"meshnode kv put mesh/routes/a '{meant}'")


def test_only_a_regular_file_is_one_that_a_redirection_made(tmp_path: Path) -> None:
    with (tmp_path / "cart").open("w") as file, Path("/dev/null").open("w") as null:
        assert file_of(file.fileno()) == str(tmp_path / "cart")
        assert file_of(null.fileno()) is None


@pytest.mark.parametrize("line", ["--help", "kv --help", "kv put --help", "agent -h"])
def test_help_shows_no_value_behind_what_takes_none(
    line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app(line.split(), prog_name="meshnode", standalone_mode=False) == 0
    shown = capsys.readouterr().out
    assert "--help" in shown
    assert "<bool>" not in shown


@pytest.mark.parametrize("typed", ["mesh/routes/shop", "abc", "0", "-"])
def test_undo_of_what_is_no_index_says_where_indexes_are(typed: str) -> None:
    with pytest.raises(UsageError) as caught:
        app(["undo", typed], prog_name="meshnode", standalone_mode=False)
    assert "meshnode history" in str(caught.value)
    assert (typed in str(caught.value).partition("`")[2]) is ("/" in typed)
