"""What wrk and h2load say is understood, whatever unit they choose."""

import pytest

from benchmarks.load import LoadError, parse_http2, parse_paced, parse_quantile

OUTPUT = """\
Running 3s test @ http://127.0.0.1:20001/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.02ms  410.00us  12.03ms   91.20%
    Req/Sec    61.21k     2.10k   64.00k    70.00%
  Latency Distribution
     50%    0.98ms
     75%    1.10ms
     90%  812.00us
     99%    1.25s
  182731 requests in 3.00s, 214.01MB read
Requests/sec:  60899.11
Transfer/sec:     71.32MB
"""


@pytest.mark.parametrize(("percent", "us"), [(50, 980.0), (90, 812.0), (99, 1_250_000.0)])
def test_a_quantile_is_in_microseconds(percent: int, us: float) -> None:
    assert parse_quantile(OUTPUT, percent) == pytest.approx(us)


def test_a_space_behind_a_unit_of_one_letter_is_no_part_of_it() -> None:
    """It is filled up to the width of its units by wrk."""
    assert parse_quantile(OUTPUT.replace("1.25s\n", "1.25s \n"), 99) == pytest.approx(1_250_000)


def test_output_without_latencies_is_an_error_that_shows_it() -> None:
    with pytest.raises(LoadError, match="unable to connect"):
        parse_quantile("unable to connect to 127.0.0.1:1", 50)


def test_a_paced_load_knows_what_each_request_took() -> None:
    log = "".join(f"17960{number}\t200\t{number}\n" for number in range(200, 100, -1))
    seen = parse_paced(log, "")
    assert (seen.quantile_us(50), seen.quantile_us(99)) == (151, 200)


@pytest.mark.parametrize("log", ["", "1\t200\t5\n2\t503\t5\n", "1\t-1\t5\n"])
def test_a_paced_load_with_a_failed_request_counts_for_nothing(log: str) -> None:
    with pytest.raises(LoadError, match="requests failed"):
        parse_paced(log, "")


HTTP2 = """\
Application protocol: h2

finished in 1.00s, 41234.00 req/s, 41.56MB/s
requests: 41234 total, 42258 started, 41234 done, 41234 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 41250 2xx, 0 3xx, 0 4xx, 0 5xx
"""


def test_requests_of_http2_are_counted() -> None:
    assert parse_http2(HTTP2) == 41_234


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("0 failed", "3 failed"),
        ("0 errored", "1 errored"),
        ("protocol: h2\n", "protocol: http/1.1\n"),
    ],
)
def test_a_load_of_http2_that_failed_or_was_none_counts_for_nothing(part: str, other: str) -> None:
    with pytest.raises(LoadError):
        parse_http2(HTTP2.replace(part, other))
