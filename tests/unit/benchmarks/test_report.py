"""The table, in a terminal and in RESULTS.md."""

import json

import pytest

from benchmarks.figures import Figure, Row, rows
from benchmarks.report import (
    BEGIN,
    END,
    ReportError,
    conditions,
    document,
    markdown,
    number,
    recorded,
    terminal,
)

FIGURES = (
    Figure("plain", "CPU µs a request", "meshnode", (12.9, 12.8, 13.0)),
    Figure("plain", "CPU µs a request", "nginx", (16.4, 16.3, 16.5)),
    Figure("idle", "KiB a plain connection", "meshnode", (1.54,)),
)


@pytest.fixture
def table() -> tuple[Row, ...]:
    return rows(FIGURES)


def test_the_table_has_a_column_a_program_and_the_ratio(table: tuple[Row, ...]) -> None:
    assert terminal(table).splitlines() == [
        "scenario  measure                 meshnode  nginx  ours / best peer",
        "plain     CPU µs a request            12.9   16.4      0.79 (nginx)",
        "idle      KiB a plain connection      1.54",
    ]


def test_the_table_is_written_between_its_marks_alone(table: tuple[Row, ...]) -> None:
    before = f"# Results\n{BEGIN}\nold\n{END}\nthe rest\n"
    after = recorded(before, markdown(table))
    assert after.startswith(f"# Results\n{BEGIN}\n| scenario | measure | meshnode | nginx |")
    assert after.endswith(f"| 1.54 |  |  |\n{END}\nthe rest\n")
    assert "old" not in after
    assert recorded(after, markdown(table)) == after


@pytest.mark.parametrize("text", ["", BEGIN, END, f"{END}\n{BEGIN}"])
def test_a_document_without_its_marks_is_refused(text: str) -> None:
    with pytest.raises(ReportError, match="lacks the lines"):
        recorded(text, "table")


def test_the_conditions_are_a_line() -> None:
    assert conditions({"nginx": "1.22.1", "load before": "0.1"}) == "nginx 1.22.1 · load before 0.1"


def test_the_document_has_every_sample() -> None:
    kept = json.loads(json.dumps(document(FIGURES, {"cores": "2"})))
    assert kept["machine"] == {"cores": "2"}
    assert kept["figures"][0] == {
        "scenario": "plain",
        "measure": "CPU µs a request",
        "subject": "meshnode",
        "median": 12.9,
        "samples": [12.9, 12.8, 13.0],
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.494, "0.49"), (12.34, "12.3"), (99.96, "100"), (9.996, "10.0"), (1234.5, "1,234")],
)
def test_a_number_has_three_figures(value: float, text: str) -> None:
    assert number(value) == text
