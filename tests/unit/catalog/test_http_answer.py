"""Answers as they come, in one piece or byte by byte, and what is none."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.http_answer import HEAD_BYTES, LINE_BYTES, AnswerReader, HttpAnswer, HttpBroken

LIMIT = 1000
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
ANSWERS = {
    OK + b"Content-Length: 5\r\nX-Consul-Index: 7\r\n\r\nhello": (200, b"hello"),
    OK + b"content-length:\t0 \r\n\r\n": (200, b""),
    CHUNKED + b"5\r\nhello\r\n0\r\n\r\n": (200, b"hello"),
    CHUNKED + b"3;a=b\r\nhel\r\n02 \r\nlo\r\n000\r\nX-Trailer: 1\r\n\r\n": (200, b"hello"),
    CHUNKED + b"5\r\n\r\n\r\n\r\r\n0\r\n\r\n": (200, b"\r\n\r\n\r"),
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n"
    + OK
    + b"Content-Length: 1\r\n\r\n1": (200, b"1"),
    b"HTTP/1.1 204 No Content\r\n\r\n": (204, b""),
    b"HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n": (404, b""),
    b"HTTP/1.0 500 x\r\nContent-Length: 2\r\n\r\nno": (500, b"no"),
}


@pytest.mark.parametrize("sent", ANSWERS)
def test_an_answer_is_read_however_it_is_cut(sent: bytes) -> None:
    for size in range(1, len(sent) + 1):
        answer = read(sent, size)
        assert answer is not None
        assert (answer.status, answer.body) == ANSWERS[sent]


@given(
    st.lists(st.binary(min_size=1, max_size=40), max_size=8),
    st.lists(st.integers(0, 600), max_size=10),
)
def test_any_chunks_cut_anywhere_are_the_body(chunks: list[bytes], cuts: list[int]) -> None:
    sent = CHUNKED + b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in chunks) + b"0\r\n\r\n"
    reader = AnswerReader(LIMIT)
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(sent)}), len(sent)]
    found = [reader.feed(sent[edges[at] : edges[at + 1]]) for at in range(len(edges) - 1)]
    assert found[:-1] == [None] * (len(found) - 1)
    assert found[-1] is not None
    assert found[-1].body == b"".join(chunks)


@given(st.binary(max_size=200))
def test_no_bytes_whatever_are_more_than_a_broken_exchange(sent: bytes) -> None:
    for beginning in (b"", OK, CHUNKED):
        reader = AnswerReader(LIMIT)
        with suppress(HttpBroken):
            assert (reader.feed(beginning + sent) or reader.end()).status


def test_names_are_in_lower_case_and_the_first_of_a_name_counts() -> None:
    answer = read(OK + b"X-Consul-INDEX: 7\r\nx-consul-index: 8\r\nContent-Length: 0\r\n\r\n")
    assert answer is not None
    assert answer.headers["x-consul-index"] == "7"


@pytest.mark.parametrize(
    "sent",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 \xb2\xb2\xb2 OK\r\n\r\n",
        OK + b"no colon\r\n\r\n",
        OK + b" folded: x\r\n\r\n",
        OK + b"name : x\r\n\r\n",
        OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        OK + b"Content-Length: +1\r\n\r\n",
        OK + b"Content-Length: \r\n\r\n",
        OK + b"Content-Length: 1001\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        CHUNKED + b"\r\n",
        CHUNKED + b"-1\r\n",
        CHUNKED + b"0x1\r\n",
        CHUNKED + b"3e9\r\n",
        CHUNKED + b"1\r\nab\r\n",
        CHUNKED + b"1" * (LINE_BYTES + 2),
        OK + b"x: " + b"y" * HEAD_BYTES,
        OK + b"\r\n" + b"y" * (LIMIT + 1),
    ],
)
def test_what_could_be_read_in_two_ways_or_has_no_end_is_no_answer(sent: bytes) -> None:
    with pytest.raises(HttpBroken):
        read(sent)


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    reader = AnswerReader(LIMIT)
    assert reader.feed(OK + b"\r\nhel") is None
    assert reader.feed(b"lo") is None
    assert reader.end().body == b"hello"
    assert reader.is_last


@pytest.mark.parametrize(
    "sent", [b"HTTP/1.1 2", OK + b"Content-Length: 2\r\n\r\n1", CHUNKED + b"1\r\na\r\n"]
)
def test_a_cut_answer_is_none(sent: bytes) -> None:
    reader = AnswerReader(LIMIT)
    assert reader.feed(sent) is None
    with pytest.raises(HttpBroken, match="connection closed") as caught:
        reader.end()
    assert not caught.value.is_unanswered


def test_a_connection_closed_before_a_byte_is_told_apart() -> None:
    with pytest.raises(HttpBroken) as caught:
        AnswerReader(LIMIT).end()
    assert caught.value.is_unanswered


@pytest.mark.parametrize(
    ("sent", "is_last"),
    [
        (OK + b"Content-Length: 1\r\n\r\n1", False),
        (CHUNKED + b"0\r\n\r\n", False),
        (OK + b"Content-Length: 1\r\nConnection: Close\r\n\r\n1", True),
        (OK + b"Content-Length: 1\r\n\r\n1HTTP/1.1 200 OK", True),
        (CHUNKED + b"0\r\n\r\nHTTP/1.1 200 OK", True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n1", True),
    ],
)
def test_a_connection_with_more_than_an_answer_is_not_used_again(
    sent: bytes, *, is_last: bool
) -> None:
    reader = AnswerReader(LIMIT)
    assert reader.feed(sent) is not None
    assert reader.is_last == is_last


def read(sent: bytes, size: int | None = None) -> HttpAnswer | None:
    reader = AnswerReader(LIMIT)
    for at in range(0, len(sent), size or len(sent)):
        answer = reader.feed(sent[at : at + (size or len(sent))])
        if answer is not None:
            return answer
    return None
