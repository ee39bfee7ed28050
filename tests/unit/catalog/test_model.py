"""Problems travel in status documents of other nodes: what is none is refused, not believed."""

from __future__ import annotations

from typing import Any

import pytest

from catalog import Problem
from tests.support.catalog import instance

WHOLE = Problem("mesh/routes/a", 7, "error", "no", 1, 27, 7, "a -> b", "c", 5)
SHORT = Problem("mesh/routes/a", 7, "warning", "no")


@pytest.mark.parametrize("problem", [WHOLE, SHORT])
def test_a_problem_comes_back_from_json(problem: Problem) -> None:
    assert Problem.from_json(problem.to_json()) == problem


def test_json_has_only_what_is_set() -> None:
    assert SHORT.to_json() == {
        "key": "mesh/routes/a",
        "index": 7,
        "severity": "warning",
        "message": "no",
    }


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {**SHORT.to_json(), "severity": "fatal"},
        {**SHORT.to_json(), "severity": []},
        {**SHORT.to_json(), "key": 7},
        {**SHORT.to_json(), "index": "7"},
        {**SHORT.to_json(), "index": True},
        {**SHORT.to_json(), "line": 1.5},
        {**SHORT.to_json(), "source": ["x"]},
    ],
)
def test_what_is_no_problem_is_refused(document: Any) -> None:
    with pytest.raises(ValueError, match="problem"):
        Problem.from_json(document)


def test_an_instance_is_dialled_at_its_own_address_else_its_node_s() -> None:
    assert instance("cart", address="10.9.9.9").host == "10.9.9.9"
    assert instance("cart").host == "10.0.0.11"
    assert instance("cart", meta={"mesh-user": "x"}).meta_value("mesh-user") == "x"
    assert instance("cart").meta_value("mesh-user") is None
