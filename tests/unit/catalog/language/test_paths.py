"""Written paths keep to the one normal form of requests: the proxy's own table of cases is read here too."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.language.paths import path
from catalog.text import Mistake, Token

TABLE = Path(__file__).parents[4] / "dataplane/engine/tests/requests/paths.txt"
CASES = [
    line.split(" ")
    for line in TABLE.read_text().splitlines()
    if line and not line.startswith("#") and len(line.split(" ")) == 2
]
PLAIN = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()+,;=:@%/")


def written(text: str) -> str | None:
    """The path as a route has it, None where it is refused."""
    try:
        return path(Token(text, 1, 1, len(text)), "exact")
    except Mistake:
        return None


def test_the_table_is_there() -> None:
    assert len(CASES) >= 200


@pytest.mark.parametrize(("sent", "normal"), CASES)
def test_a_written_path_is_the_normal_form_or_refused(sent: str, normal: str) -> None:
    """What a request may not have no route may; a form is its own; what is brought to one there is told to be so."""
    taken = written(sent)
    if not normal.startswith("/"):
        assert taken is None
        return
    assert taken in (None, normal)
    if set(normal) <= PLAIN:
        assert written(normal) == normal
