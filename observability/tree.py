"""A trace as a tree for a terminal: who called whom, when, for how long, by which key. Asks nobody for anything."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

from rich.console import Group
from rich.table import Table
from rich.text import Text

from .trace import Row, Span, Trace

# More is no picture any more; --json has all.
MAX_ROWS = 500
MAX_DEPTH_SHOWN = 24
BAR_WIDTH = 24

_FULL, _HALF_LEFT, _HALF_RIGHT = "━", "╸", "╺"


def render_tree(trace: Trace) -> Group:
    """For `rich.print`: a headline, and a row for each span with its bar on the trace's time."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", show_edge=False)
    table.add_column("service and operation", overflow="fold", ratio=None)
    table.add_column("", width=BAR_WIDTH, no_wrap=True)
    table.add_column("took", justify="right", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("where", overflow="fold")
    table.add_column("by", overflow="fold")
    for row in islice(trace.rows(), MAX_ROWS):
        span = row.span
        table.add_row(
            _name(row),
            _bar(span, trace),
            _took(span.duration_us),
            _status(span),
            _where(span),
            _by(span),
        )
    parts: list[Text | Table] = [_headline(trace), table]
    if len(trace.spans) > MAX_ROWS:
        parts.append(Text(f"… and {len(trace.spans) - MAX_ROWS} spans more", style="dim"))
    return Group(*parts)


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
    text = Text()
    shown = row.guides[-MAX_DEPTH_SHOWN:]
    if len(shown) < len(row.guides):
        text.append("… ", "dim")
    for follows in shown[:-1]:
        text.append("│  " if follows else "   ", "dim")
    if shown:
        text.append("├─ " if shown[-1] else "└─ ", "dim")
    text.append(_clean(row.span.service), "bold red" if row.span.is_error else "bold cyan")
    text.append("  ")
    text.append(_clean(row.span.name))
    return text


def _bar(span: Span, trace: Trace) -> Text:
    """Where in the trace's time the span lies, to half a column; never empty."""
    whole = max(trace.duration_us, 1)
    halves = 2 * BAR_WIDTH
    begin = min(int((span.start_us - trace.start_us) * halves / whole), halves - 1)
    end = max(begin + 1, min(round((span.end_us - trace.start_us) * halves / whole), halves))
    columns = []
    for left in range(0, halves, 2):
        is_left, is_right = begin <= left < end, begin <= left + 1 < end
        both = _FULL if is_left and is_right else None
        columns.append(both or (_HALF_LEFT if is_left else _HALF_RIGHT if is_right else " "))
    return Text("".join(columns), style="red" if span.is_error else "cyan")


def _status(span: Span) -> Text:
    """The status, and the mesh's reason code where it has one."""
    reason = span.text("mesh.reason")
    text = " ".join(filter(None, (span.status, reason)))
    return Text(_clean(text), style="red" if span.is_error else "green")


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
