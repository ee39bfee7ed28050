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

from .summary import summarize
from .trace import Row, Span, Trace

# More is no picture any more; --json has all.
MAX_ROWS = 500
MAX_DEPTH_SHOWN = 24
# A bar takes what the terminal has left, within these; a shorter one shows nothing, a longer one is hard to compare.
MIN_BAR = 12
MAX_BAR = 40
# A name is cut rather than that the bars go; this much of it is always there.
MIN_NAME = 16
GAP = "  "

_FULL, _HALF_LEFT, _HALF_RIGHT = "━", "╸", "╺"


def render_tree(trace: Trace) -> Tree:
    """For `rich.print`: a headline, and a line for each span with its bar on the trace's time."""
    return Tree(trace)


@dataclass(frozen=True, slots=True)
class Tree:
    """A renderable of rich: it fits the width it is given."""

    trace: Trace

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        yield _headline(self.trace)
        summary = summarize(self.trace)
        if summary is not None and summary.refusal:
            yield Text(_clean(summary.refusal), "red")
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
            _indent(row, has_below=has_below),
            _name(row),
            Text(_took(row.span.duration_us)),
            Text(_clean(row.span.status), _colour(row.span, "green")),
            Text(_clean(row.span.text("mesh.reason")), "red"),
            _where(row.span),
            _by(row.span),
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
        texts = [line.name, _bar(line.span, trace, bar), line.took, line.status]
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


def _headline(trace: Trace) -> Text:
    began = datetime.fromtimestamp(trace.start_us / 1e6, UTC)
    services = len({span.service for span in trace.spans})
    missing = len(trace.roots) - 1
    text = Text.assemble(
        ("trace ", "dim"),
        (_clean(trace.trace_id), "bold"),
        f"   {began:%Y-%m-%d %H:%M:%S} UTC   {_took(trace.duration_us)}   "
        f"{_counted(len(trace.spans), 'span')}, {_counted(services, 'service')}",
    )
    if missing > 0:
        text.append(
            f"   {_counted(missing, 'branch', 'branches')} without their parent: not all has arrived",
            "yellow",
        )
    return text


def _name(row: Row) -> Text:
    """The lines of the tree, the service, the operation."""
    text = _guides(row)
    if row.guides:
        text.append("├─ " if row.guides[-1] else "└─ ", "dim")
    text.append(_clean(row.span.service), f"bold {_colour(row.span, 'cyan')}")
    text.append(f"  {_clean(row.span.name)}")
    return text


def _indent(row: Row, *, has_below: bool) -> Text:
    """What stands below a name and left of its details: the lines of the tree go on."""
    text = _guides(row)
    if row.guides:
        text.append("│  " if row.guides[-1] else "   ", "dim")
    text.append("│  " if has_below else "   ", "dim")
    return text


def _guides(row: Row) -> Text:
    """The levels above a row but for its own."""
    text = Text()
    shown = row.guides[-MAX_DEPTH_SHOWN:]
    if len(shown) < len(row.guides):
        text.append("… ", "dim")
    for follows in shown[:-1]:
        text.append("│  " if follows else "   ", "dim")
    return text


def _colour(span: Span, well: str) -> str:
    return "red" if span.is_error else well


def _bar(span: Span, trace: Trace, width: int) -> Text:
    """Where in the trace's time the span lies, to half a column; never empty."""
    whole = max(trace.duration_us, 1)
    halves = 2 * width
    begin = min(int((span.start_us - trace.start_us) * halves / whole), halves - 1)
    end = max(begin + 1, min(round((span.end_us - trace.start_us) * halves / whole), halves))
    columns = []
    for left in range(0, halves, 2):
        is_left, is_right = begin <= left < end, begin <= left + 1 < end
        both = _FULL if is_left and is_right else None
        columns.append(both or (_HALF_LEFT if is_left else _HALF_RIGHT if is_right else " "))
    return Text("".join(columns), style=_colour(span, "cyan"))


def _where(span: Span) -> Text:
    """The node, and the endpoint that was chosen."""
    node = span.text("mesh.node") or span.text("host.name")
    endpoint = span.text("mesh.endpoint")
    return Text(_clean(" → ".join(filter(None, (node, endpoint)))))


def _by(span: Span) -> Text:
    """What in the configuration was behind it: the key with its index, the intention."""
    key, index = span.text("mesh.config.key"), span.text("mesh.config.index")
    configured = f"{key} @ {index}" if key and index else key or (f"index {index}" if index else "")
    intention = span.text("mesh.intention")
    parts = (configured, f"intention {intention}" if intention else "")
    return Text(_clean("   ".join(filter(None, parts))), style="dim")


def _took(microseconds: int) -> str:
    if microseconds < 1000:
        return f"{microseconds} µs"
    if microseconds < 10_000:
        return f"{microseconds / 1000:.1f} ms"
    if microseconds < 1_000_000:
        return f"{microseconds / 1000:.0f} ms"
    return f"{microseconds / 1_000_000:.2f} s"


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _clean(text: str) -> str:
    """Without anything a terminal would obey: names and paths come from strangers."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)
