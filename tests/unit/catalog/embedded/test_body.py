"""Bodies read as Go does."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.embedded.body import LEAST_INT, MOST_UINT, Fields, parse_json


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "EOF"),
        (b"  \n", "EOF"),
        (b"{", "unexpected EOF"),
        (b'{"a": "b', "unexpected EOF"),
        (b"x", "invalid character 'x' looking for beginning of value"),
        (b"NaN", "invalid character 'N' looking for beginning of value"),
        (b"[" * 200_000, "exceeded max depth"),
    ],
)
def test_what_is_no_json(body: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as refused:
        parse_json(body)
    assert str(refused.value) == sentence


def test_only_the_first_value_counts() -> None:
    assert parse_json(b'{"a": 1} and more') == {"a": 1}


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_refused(body: bytes) -> None:
    with contextlib.suppress(ValueError):
        parse_json(body)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(LEAST_INT, MOST_UINT) | st.text(), st.lists
    )
)
def test_json_is_read(value: Any) -> None:
    assert parse_json(json.dumps(value).encode()) == value


def test_names_have_no_case_and_null_is_nothing() -> None:
    fields = Fields({"NAME": "n", "ttl": None, "Port": 80.0})
    assert (fields.text("Name"), fields.text("TTL", "d"), fields.number("port")) == ("n", "d", 80)
    assert "TTL" not in fields


@pytest.mark.parametrize(
    ("read", "sentence"),
    [
        (
            lambda: Fields([], "api.X"),
            "json: cannot unmarshal array into Go value of type api.X",
        ),
        (
            lambda: Fields({"N": 1}).text("N"),
            "json: cannot unmarshal number into Go struct field .N of type string",
        ),
        (
            lambda: Fields({"N": True}).number("N"),
            "json: cannot unmarshal bool into Go struct field .N of type int",
        ),
        (
            lambda: Fields({"N": [1]}).texts("N"),
            "json: cannot unmarshal number into Go struct field .N of type string",
        ),
    ],
)
def test_another_kind_is_refused_in_gos_words(read: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=r"^json: ") as refused:
        read()
    assert str(refused.value) == sentence
