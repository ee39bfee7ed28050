"""A trace as a tree for a terminal: who called whom, when, for how long, by which key. Asks nobody for anything.

Where a terminal is too narrow for all columns, what stood in the last ones stands below each step instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice, pairwise

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from .step import bar_of, by_of, clean, colour, counted, indent_of, name_of, took_of, where_of
from .summary import summarize
from .trace import Row, Span, Trace

# More is no picture any more; --json has all.
MAX_ROWS = 500
# A bar takes what the terminal has left, within these; a shorter one shows nothing, a longer one is hard to compare.
MIN_BAR = 12
MAX_BAR = 40
# A name is cut rather than that the bars go; this much of it is always there.
MIN_NAME = 16
GAP = "  "


def render_tree(trace: Trace) -> Tree:
    """For `rich.print`: a headline, and a line for each span with its bar on the trace's time."""
    return Tree(trace)


@dataclass(frozen=True, slots=True)
class Tree:
    """A renderable of rich: it fits the width it is given."""

    trace: Trace

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        yield from _headline(self.trace, options.max_width)
        summary = summarize(self.trace)
        if summary is not None and summary.refusal:
            yield Text(clean(summary.refusal), "red")
        lines = [_Line.of(row, follows) for row, follows in _rows(self.trace)]
        if lines:
            yield from _laid_out(lines, self.trace, options.max_width)
        if len(self.trace.spans) > MAX_ROWS:
            yield Text(f"… and {len(self.trace.spans) - MAX_ROWS} spans more", style="dim")


def _rows(trace: Trace) -> Iterator[tuple[Row, bool]]:
    """The rows that are shown, each with whether one below it follows."""
    rows: list[Row | None] = [*islice(trace.rows(), MAX_ROWS), None]
    for row, after in pairwise(rows):
        assert row is not None
        yield row, after is not None and after.depth > row.depth


@dataclass(frozen=True, slots=True)
class _Line:
    """One span's texts, in the order of the columns; `indent` leads a line below it."""

    span: Span
    indent: Text
    name: Text
    took: Text
    status: Text
    reason: Text
    where: Text
    by: Text

    @classmethod
    def of(cls, row: Row, has_below: bool) -> _Line:  # noqa: FBT001  (made from a pair)
        return cls(
            row.span,
            indent_of(row, has_below=has_below),
            name_of(row),
            Text(took_of(row.span.duration_us)),
            Text(clean(row.span.status), colour(row.span, "green")),
            Text(clean(row.span.text("mesh.reason")), "red"),
            where_of(row.span),
            by_of(row.span),
        )

    @property
    def details(self) -> tuple[Text, ...]:
        return tuple(text for text in (self.reason, self.where, self.by) if text.plain)


def _laid_out(lines: list[_Line], trace: Trace, width: int) -> Iterator[Text]:
    """All in one line each if that fits, else the details below."""
    took = max(line.took.cell_len for line in lines)
    status = max(line.status.cell_len for line in lines)
    name = max(line.name.cell_len for line in lines)
    columns = [
        max(column)
        for column in zip(
            *((line.reason.cell_len, line.where.cell_len, line.by.cell_len) for line in lines),
            strict=True,
        )
    ]
    beside = took + status + 3 * len(GAP)
    details = sum(one + len(GAP) for one in columns if one)
    is_wide = name + MIN_BAR + beside + details <= width
    free = width - beside - (details if is_wide else 0)
    name = max(MIN_NAME, min(name, free - MIN_BAR))
    bar = max(MIN_BAR, min(free - name, MAX_BAR))
    for line in lines:
        line.name.truncate(name, overflow="ellipsis", pad=True)
        line.took.align("right", took)
        line.status.truncate(status, pad=True)
        texts = [line.name, bar_of(line.span, trace, bar), line.took, line.status]
        if is_wide:
            for text, column in zip((line.reason, line.where, line.by), columns, strict=True):
                text.truncate(column, pad=True)
                texts += [text] if column else []
        yield _one_line(texts)
        if not is_wide and line.details:
            yield from _below(line, width)


def _below(line: _Line, width: int) -> Iterator[Text]:
    """The details under the name, as many a line as fit."""
    shown = Text.assemble(line.indent)
    for text in line.details:
        is_first = shown.cell_len == line.indent.cell_len
        if not is_first and shown.cell_len + len(GAP) + text.cell_len > width:
            yield _one_line([shown])
            shown, is_first = Text.assemble(line.indent), True
        shown.append(Text("" if is_first else GAP)).append(text)
    yield _one_line([shown])


def _one_line(texts: list[Text]) -> Text:
    """Never broken: what is too long for the terminal is cut."""
    line = Text(GAP, no_wrap=True, overflow="ellipsis").join(texts)
    line.no_wrap, line.overflow = True, "ellipsis"
    line.rstrip()
    return line


def _headline(trace: Trace, width: int) -> Iterator[Text]:
    """One line if it fits, else the id on one of its own."""
    began = datetime.fromtimestamp(trace.start_us / 1e6, UTC)
    services = len({span.service for span in trace.spans})
    missing = len(trace.roots) - 1
    name = Text.assemble(("trace ", "dim"), (clean(trace.trace_id), "bold"))
    facts = Text(
        f"{began:%Y-%m-%d %H:%M:%S} UTC   {took_of(trace.duration_us)}   "
        f"{counted(len(trace.spans), 'span')}, {counted(services, 'service')}"
    )
    if missing > 0:
        facts.append(
            f"   {counted(missing, 'branch', 'branches')} without their parent: not all has arrived",
            "yellow",
        )
    line = Text("   ").join([name, facts])
    if line.cell_len <= width:
        yield line
    else:
        yield from (name, facts)
