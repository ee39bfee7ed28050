"""Prometheus' text format 0.0.4: families of samples to text. Knows no metric by name.

Source: prometheus.io/docs/instrumenting/exposition_formats.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Kind = Literal["counter", "gauge", "histogram"]
Number = float | int


@dataclass(frozen=True, slots=True)
class Sample:
    """`suffix` is empty, or `_bucket`, `_sum`, `_count` of a histogram."""

    labels: tuple[tuple[str, str], ...]
    value: Number
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """One metric with all its samples. Without samples it is left out of the text."""

    name: str
    kind: Kind
    help: str
    samples: tuple[Sample, ...]


def render(families: Iterable[Family]) -> str:
    """The text; each family once, in the order given."""
    return "".join(line for family in families if family.samples for line in _lines(family))


def labels(**values: object) -> tuple[tuple[str, str], ...]:
    """Label pairs in the order given. A trailing underscore of a name is left off (`class_`)."""
    return tuple((name.rstrip("_"), str(value)) for name, value in values.items())


def single(name: str, kind: Kind, text: str, value: Number | None) -> Family:
    """A family of one sample without labels; of none when there is no value."""
    return Family(name, kind, text, () if value is None else (Sample((), value),))


def histogram_samples(
    pairs: tuple[tuple[str, str], ...],
    cumulative: Mapping[float, int],
    total: Number,
) -> Iterable[Sample]:
    """Buckets by upper bound (infinity among them) with the counts up to each, and the sum of all values."""
    count = 0
    for bound in sorted(cumulative):
        # Read while it is written, a count may be behind the one below it; Prometheus wants it to grow.
        count = max(count, cumulative[bound])
        yield Sample((*pairs, ("le", number(bound))), count, "_bucket")
    yield Sample(pairs, total, "_sum")
    yield Sample(pairs, count, "_count")


def number(value: Number) -> str:
    """As Go reads it."""
    if isinstance(value, int):
        return str(value)
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if math.isnan(value):
        return "NaN"
    return repr(value).removesuffix(".0")


def _lines(family: Family) -> Iterable[str]:
    yield f"# HELP {family.name} {_escape_help(family.help)}\n"
    yield f"# TYPE {family.name} {family.kind}\n"
    for sample in family.samples:
        pairs = ",".join(f'{name}="{_escape(value)}"' for name, value in sample.labels)
        braces = f"{{{pairs}}}" if pairs else ""
        yield f"{family.name}{sample.suffix}{braces} {number(sample.value)}\n"


def _escape(value: str) -> str:
    # A lone surrogate (bytes that were no UTF-8) would make the whole answer impossible to encode.
    sound = value.encode("utf-8", "replace").decode("utf-8")
    return sound.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _escape_help(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")
