"""The build's one line: quiet where there was nothing to do, the end of the output where it failed."""

import io
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_one_that_is_killed_takes_its_build_along(tmp_path: Path, number: signal.Signals) -> None:
    make = tmp_path / "make"
    make.write_text("#!/bin/sh\necho $$ > pid\nexec sleep 600\n")
    make.chmod(0o755)
    run = (
        "import sys; from pathlib import Path; from meshnode.dev.building import *; "
        "signal.signal(signal.SIGTERM, signal.default_int_handler); "
        "build(Path(sys.argv[1]), [Step('a thing', ['./make'])], sys.stderr)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", run, str(tmp_path)], stderr=subprocess.DEVNULL
    ) as one:
        pid = tmp_path / "pid"
        patiently(lambda: pid.exists() and pid.read_text().strip())
        one.send_signal(number)
    # It may still be a zombie of whoever adopted it.
    patiently(lambda: not is_alive(int(pid.read_text())))


def patiently(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_cargo_says_what_it_is_at() -> None:
    output = Output()
    for line in ("   Compiling rustls v0.23.31", "warning: unused", "   Compiling h2 v0.4.12"):
        output.take(line)
    assert output.at == "crate 2, h2"


def test_steps_run_the_make_they_were_given() -> None:
    assert steps("gmake")[-1].words == ["gmake", "build"]


def test_spans_of_time_read_well() -> None:
    assert [span(one) for one in (0.4, 59.9, 65)] == ["0 s", "59 s", "1 min 5 s"]
