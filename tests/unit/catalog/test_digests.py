"""A digest says which texts there are, whatever came and went before, in whatever order."""

from __future__ import annotations

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from catalog.digests import Gathered

texts = st.sets(st.binary(max_size=3), max_size=20)


@given(texts, texts, texts)
def test_what_came_and_went_leaves_no_trace(
    first: set[bytes], gone: set[bytes], come: set[bytes]
) -> None:
    gathered = Gathered(first | gone)
    gathered.digest()
    for text in gone:
        gathered.take(text)
    left = (first - gone) | come
    for text in left - (first - gone):
        gathered.put(text)
    assert gathered.digest() == Gathered(sorted(left)).digest()


@given(texts, texts)
def test_other_texts_have_another_digest(left: set[bytes], right: set[bytes]) -> None:
    assert (Gathered(left).digest() == Gathered(right).digest()) == (left == right)


def test_the_digest_is_as_the_boundary_says() -> None:
    hashes = sorted(sha256(text).digest() for text in (b"a", b"b", b"c"))
    buckets = [b"".join(one for one in hashes if one[0] == number) for number in range(256)]
    expected = sha256(b"".join(sha256(bucket).digest() for bucket in buckets)).hexdigest()
    assert Gathered([b"c", b"a", b"b"]).digest() == f"sha256:{expected}"
