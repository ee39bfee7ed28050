"""The texts of one step of a trace, for a terminal: name in the tree, bar, time, place, cause. Lays nothing out."""

from __future__ import annotations

from rich.text import Text

from .trace import Row, Span, Trace

MAX_DEPTH_SHOWN = 24

_FULL, _HALF_LEFT, _HALF_RIGHT = "━", "╸", "╺"


def name_of(row: Row) -> Text:
    """The lines of the tree, the service, the operation."""
    text = _guides(row)
    if row.guides:
        text.append("├─ " if row.guides[-1] else "└─ ", "dim")
    text.append(clean(row.span.service), f"bold {colour(row.span, 'cyan')}")
    text.append(f"  {clean(_operation(row.span))}")
    return text


def _operation(span: Span) -> str:
    """The span's name; at the edge what was asked for in its place, which names the route's pattern alone."""
    method = span.text("http.request.method")
    # A raw connection has none, and may name a server all the same.
    if span.text("mesh.direction") != "edge" or not method:
        return span.name
    asked = span.text("server.address") + span.text("url.path")
    return f"{method} {asked}" if asked else span.name


def indent_of(row: Row, *, has_below: bool) -> Text:
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


def colour(span: Span, well: str) -> str:
    return "red" if span.is_error else well


def bar_of(span: Span, trace: Trace, width: int) -> Text:
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
    return Text("".join(columns), style=colour(span, "cyan"))


def where_of(span: Span) -> Text:
    """The node, and the endpoint that was chosen."""
    node = span.text("mesh.node") or span.text("host.name")
    endpoint = span.text("mesh.endpoint")
    return Text(clean(" → ".join(filter(None, (node, endpoint)))))


def by_of(span: Span) -> Text:
    """What in the configuration was behind it: the key with its index, the intention."""
    key, index = span.text("mesh.config.key"), span.text("mesh.config.index")
    configured = f"{key} @ {index}" if key and index else key or (f"index {index}" if index else "")
    intention = span.text("mesh.intention")
    parts = (configured, f"intention {intention}" if intention else "")
    return Text(clean("   ".join(filter(None, parts))), style="dim")


def took_of(microseconds: int) -> str:
    if microseconds < 1000:
        return f"{microseconds} µs"
    if microseconds < 10_000:
        return f"{microseconds / 1000:.1f} ms"
    if microseconds < 1_000_000:
        return f"{microseconds / 1000:.0f} ms"
    return f"{microseconds / 1_000_000:.2f} s"


def counted(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def clean(text: str) -> str:
    """Without anything a terminal would obey: names and paths come from strangers."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)
