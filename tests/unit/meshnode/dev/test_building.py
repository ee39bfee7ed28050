"""The build's one line: quiet where there was nothing to do, the end of the output where it failed."""

import io
import sys
from pathlib import Path

from meshnode.dev.building import Output, Step, build, span, steps


def python(code: str) -> Step:
    return Step("a thing", [sys.executable, "-c", code])


def test_a_build_with_nothing_to_do_says_nothing(tmp_path: Path) -> None:
    out = io.StringIO()
    assert build(tmp_path, [python("print('done')")], out) == 0
    assert out.getvalue() == ""


def test_a_failed_build_shows_its_last_lines_and_ends_there(tmp_path: Path) -> None:
    out = io.StringIO()
    failing = python("import sys; [print('line', n) for n in range(99)]; sys.exit(4)")
    assert build(tmp_path, [failing, python("open('never', 'w')")], out) == 4
    assert "line 98\na thing could not be built" in out.getvalue()
    assert "line 9\n" not in out.getvalue()
    assert not (tmp_path / "never").exists()


def test_cargo_says_what_it_is_at() -> None:
    output = Output()
    for line in ("   Compiling rustls v0.23.31", "warning: unused", "   Compiling h2 v0.4.12"):
        output.take(line)
    assert output.at == "crate 2, h2"


def test_steps_run_the_make_they_were_given() -> None:
    assert steps("gmake")[-1].words == ["gmake", "build"]


def test_spans_of_time_read_well() -> None:
    assert [span(one) for one in (0.4, 59.9, 65)] == ["0 s", "59 s", "1 min 5 s"]
