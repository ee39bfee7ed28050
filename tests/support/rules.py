"""Rules of every kind for property tests, and the line that says what a rule says. Parses nothing."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from catalog.language import rule as r
from catalog.language.targets import Selector
from catalog.language.words import quoted
from catalog.language.written import https_text

NAMES = st.from_regex(r"[a-z][a-z0-9]{0,6}", fullmatch=True)
HOSTS = st.one_of(
    st.just("*"),
    NAMES.map(lambda name: f"{name}.example"),
    NAMES.map(lambda name: f"*.{name}.example"),
    NAMES.map(lambda name: f"{name}.mesh"),
    st.just("[2001:db8::1]"),
)
SEGMENTS = st.from_regex(
    r"[A-Za-z0-9_~]([A-Za-z0-9._~!$&'()+,;=:@-]{0,4}[A-Za-z0-9])?", fullmatch=True
)
"""None ends in a comma: at a word's end it divides, so a line has no words for such a path."""
PATHS = st.lists(SEGMENTS, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))
REGEXES = st.sampled_from(
    ["/x/[0-9]+", "/(a|b)(/.*)?", "/u/[a-z]{2,5}", "/.*\\.js", "/[^/]+/x", "/a?", "(?i)/abc.*"]
)
GLOBS = st.sampled_from(["/x/*", "/**/y", "/a?/*.js", "/*/b/**"])
TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=12).filter(
    lambda text: text.isprintable() and text == text.strip()
)
TIMES_MS = st.integers(1, 3_600_000)
SERVICES = st.from_regex(r"[a-z]([a-z0-9-]{0,5}[a-z0-9])?", fullmatch=True).filter(
    lambda name: name not in ("edge", "consul", "meshnode")
)


@st.composite
def targets(draw: st.DrawFn) -> str:
    """A service, or a subset of it."""
    service = draw(SERVICES)
    words = TEXTS.filter(bool)
    tags = draw(st.lists(words, max_size=2, unique=True))
    meta = draw(st.dictionaries(NAMES, words, max_size=2))
    found = [Selector("", tag) for tag in tags] + [Selector(*pair) for pair in meta.items()]
    return f"{service}[{','.join(map(str, sorted(found)))}]" if found else service


@st.composite
def splits(draw: st.DrawFn) -> r.Split:
    names = draw(st.lists(targets(), min_size=1, max_size=4, unique=True))
    if len(names) == 1:
        return r.Split(((names[0], 1),))
    cuts = sorted(
        draw(st.lists(st.integers(0, 100), min_size=len(names) - 1, max_size=len(names) - 1))
    )
    shares = [high - low for low, high in zip([0, *cuts], [*cuts, 100], strict=True)]
    return r.Split(tuple(zip(names, shares, strict=True)))


REDIRECTS = st.builds(
    r.Redirect,
    st.sampled_from([301, 302, 303, 307, 308]),
    st.sampled_from(["https://new.example/", "http://{host}/x?y=1", "/other", "https://a.b:8/c,d"]),
)
ANSWERS = st.builds(r.Answer, st.integers(200, 203) | st.integers(400, 599), TEXTS)


@st.composite
def conditions(draw: st.DrawFn) -> tuple[r.Condition, ...]:
    """Each about another name, so that none contradicts another."""
    found = []
    keys = draw(
        st.lists(
            st.tuples(st.sampled_from(["header", "query", "cookie"]), NAMES),
            max_size=4,
            unique=True,
        )
    )
    for place, name in sorted(keys, key=lambda key: ("header", "query", "cookie").index(key[0])):
        comparison = draw(st.sampled_from(["exact", "prefix", "suffix", "regex", "present"]))
        value = ""
        if comparison == "regex":
            value = draw(st.sampled_from(["a|b", "[0-9]{2}", "x.*"]))
        elif comparison != "present":
            value = draw(TEXTS if comparison == "exact" else TEXTS.filter(bool))
        found.append(r.Condition(place, name, comparison, value, draw(st.booleans())))  # type: ignore[arg-type]
    return tuple(found)


@st.composite
def line_rules(draw: st.DrawFn) -> r.Rule:
    """A rule that a line can say."""
    action = draw(st.one_of(splits(), REDIRECTS, ANSWERS))
    kind, paths = draw(st.sampled_from([("prefix", PATHS), ("exact", PATHS), ("regex", REGEXES)]))
    made: dict[str, Any] = {
        "path": draw(paths),
        "path_kind": kind,
        "methods": tuple(draw(st.lists(st.sampled_from(["GET", "PUT", "PURGE"]), max_size=2, unique=True))),
        "conditions": draw(conditions()),
        "client_addresses": tuple(
            draw(st.lists(st.sampled_from(["10.0.0.0/8", "::1/128", "192.0.2.7/32"]), max_size=2, unique=True))
        ),
        "sources": tuple(draw(st.lists(SERVICES | st.just("edge"), max_size=2, unique=True))),
        "priority": draw(st.integers(-10, 10)),
    }  # fmt: skip
    hosts = tuple(draw(st.lists(HOSTS, min_size=1, max_size=3, unique=True)))
    if isinstance(action, r.Split):
        made |= draw(_sent_on(made["path"], kind))
    return r.Rule(hosts, action=action, **made)


@st.composite
def _sent_on(draw: st.DrawFn, path: str, kind: str) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if kind != "regex" and draw(st.booleans()):
        made["strip_prefix"] = "/" + path.split("/")[1]
    if draw(st.booleans()):
        made["add_prefix"] = draw(PATHS)
    if draw(st.booleans()):
        made["rewrite_host"] = draw(NAMES) + draw(st.sampled_from(["", ":8080"]))
    if draw(st.booleans()):
        made["timeout_ms"] = draw(st.integers(1000, 3_600_000))
    for name in ("head_timeout_ms", "idle_timeout_ms"):
        if draw(st.booleans()):
            made[name] = draw(st.integers(1, 999))
    if draw(st.booleans()):
        made["retries"] = r.Retries(draw(st.integers(0, 10)))
    if draw(st.booleans()):
        days = draw(st.none() | st.integers(0, 3650).map(lambda days: days * 86_400))
        made["https"] = r.Https(draw(st.booleans()), days)
    return made


FIELDS = st.lists(
    st.tuples(NAMES.map(lambda name: "x-" + name), TEXTS),
    max_size=3,
    unique_by=lambda pair: pair[0],
).map(tuple)
EDITS = st.builds(r.HeaderEdits, st.just(("x_gone",)), FIELDS, FIELDS)
RETRIES = st.builds(
    r.Retries,
    st.integers(0, 10),
    st.none() | st.just(("connect", "503", "5xx")),
    st.none() | TIMES_MS,
    st.none() | st.builds(r.Backoff, st.integers(1, 100), st.integers(100, 1000)),
    st.none() | st.builds(r.Budget, st.integers(0, 1000), st.integers(0, 100_000)),
    st.booleans(),
)


COUNTS = st.integers(1, 1_000_000)
PER = st.none() | st.sampled_from(["all", "caller", "client"])
LIMITS = st.one_of(
    st.none(),
    st.builds(r.RequestLimits, COUNTS, st.none() | COUNTS, st.none() | COUNTS, PER),
    st.builds(r.RequestLimits, concurrent=COUNTS, per=PER),
)


@st.composite
def rules(draw: st.DrawFn) -> r.Rule:
    """Any rule: what documents alone say as well."""
    rule = draw(line_rules())
    made: dict[str, Any] = {}
    if draw(st.booleans()):
        made |= {"path": draw(GLOBS), "path_kind": "glob", "strip_prefix": None}
    if isinstance(rule.action, r.Split):
        made |= {
            "request_headers": draw(EDITS),
            "response_headers": draw(EDITS),
            "retries": draw(RETRIES),
            "body_bytes": draw(st.none() | st.integers(1, 2**40)),
            "limits": draw(LIMITS),
        }
        if draw(st.booleans()):
            made |= {
                "rewrite_path": r.Rewrite("/(a)(?P<rest>.*)", "/$1${rest}"),
                "strip_prefix": None,
                "add_prefix": None,
            }
    elif isinstance(rule.action, r.Redirect):
        redirect = r.Redirect(
            rule.action.status, rule.action.location,
            draw(st.sampled_from(["rest", "whole", "none", None])), draw(st.none() | st.booleans()),
        )  # fmt: skip
        made["action"] = redirect
    else:
        made["action"] = r.Answer(rule.action.status, rule.action.body, "text/html; charset=utf-8")
    return _replaced(rule, made)


def _replaced(rule: r.Rule, made: dict[str, Any]) -> r.Rule:
    fields = {name: getattr(rule, name) for name in r.Rule.__slots__}
    return r.Rule(**(fields | made))


def to_line(rule: r.Rule) -> str:
    """The line that says this rule."""
    sign = {"prefix": "", "exact": "=", "regex": "~"}[rule.path_kind]
    words = [",".join(rule.methods)] if rule.methods else []
    words.append(",".join(rule.hosts) + sign + rule.path)
    when = [_condition(one) for one in rule.conditions]
    if rule.client_addresses:
        when.append("client=" + "|".join(rule.client_addresses))
    if rule.sources:
        when.append("from=" + "|".join(rule.sources))
    if when:
        words.append("when " + ", ".join(when))
    words += ["->", _action(rule.action)]
    settings = {
        "strip": rule.strip_prefix, "add": rule.add_prefix, "host": rule.rewrite_host,
        "timeout": _time(rule.timeout_ms), "timeout_head": _time(rule.head_timeout_ms),
        "timeout_idle": _time(rule.idle_timeout_ms),
        "retries": rule.retries.attempts if rule.retries else None,
        "priority": rule.priority or None,
        "https": https_text(rule.https) if rule.https else None,
    }  # fmt: skip
    words += [f"{name}={value}" for name, value in settings.items() if value is not None]
    return " ".join(words)


def _time(value_ms: int | None) -> str | None:
    return None if value_ms is None else f"{value_ms}ms"


def _condition(one: r.Condition) -> str:
    sign = {"exact": "=", "prefix": "^=", "suffix": "$=", "regex": "~=", "present": ""}[
        one.comparison
    ]
    value = "" if one.comparison == "present" else quoted(one.value)
    return f"{'!' * one.is_negated}{one.place}.{one.name}{sign}{value}"


def _action(action: r.Action) -> str:
    if isinstance(action, r.Redirect):
        return f"redirect {action.status} {action.location}"
    if isinstance(action, r.Answer):
        return f"answer {action.status} {quoted(action.body)}"
    if len(action.parts) == 1:
        return action.parts[0][0]
    return ", ".join(f"{name} {share}%" for name, share in action.parts)
