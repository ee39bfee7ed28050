"""A route as the line that a person would write for it. Reads no key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from catalog import time_text

PLACES = (("headers", "header"), ("query", "query"), ("cookies", "cookie"))
"""A resource's lists of conditions, and the word before each."""
SIGNS = {"exact": "=", "prefix": "^=", "suffix": "$=", "regex": "~="}
PATH_SIGNS = {"prefix": "", "exact": "=", "regex": "~"}
TIMES = (
    ("timeout", "timeout_ms"),
    ("timeout_head", "head_timeout_ms"),
    ("timeout_idle", "idle_timeout_ms"),
)
QUOTED = re.compile(r'[\s,"]|->')
ALL_PERCENT = 100
DAY_S = 86_400


def one_line(resource: dict[str, Any]) -> str:
    """A route's resource in the one-line form; what only documents say stands behind it, by its place there."""
    words = [*_takes(resource)]
    if conditions := [*_conditions(resource)]:
        words += ["when", ", ".join(conditions)]
    words += ["->", _leads(resource["action"]), *_settings(resource)]
    return " ".join(words)


def _takes(resource: dict[str, Any]) -> Iterator[str]:
    if methods := resource.get("methods"):
        yield ",".join(methods)
    if "port" in resource:
        yield f"tcp :{resource['port']}"
    elif "sni" in resource:
        yield f"sni {', '.join(resource['sni'])}"
    else:
        ((kind, path),) = resource["path"].items()
        hosts = ",".join(resource["hosts"])
        # Lines have no globs.
        sign = PATH_SIGNS.get(kind)
        yield f"{hosts}{sign}{path}" if sign is not None else f"{hosts}{{{kind}: {path}}}"


def _conditions(resource: dict[str, Any]) -> Iterator[str]:
    for field, word in PLACES:
        for condition in resource.get(field, ()):
            negated = "!" if condition.get("negated") else ""
            yield f"{negated}{word}.{condition['name']}{_compared(condition)}"
    for field, word in (("client_addresses", "client"), ("sources", "from")):
        if values := resource.get(field):
            yield f"{word}={'|'.join(values)}"


def _compared(condition: dict[str, Any]) -> str:
    found = next((kind for kind in SIGNS if kind in condition), None)
    return "" if found is None else SIGNS[found] + _quoted(condition[found])


def _quoted(value: str) -> str:
    return value if value and not QUOTED.search(value) else _in_quotes(value)


def _leads(action: dict[str, Any]) -> str:
    if answer := action.get("answer"):
        body = f" {_in_quotes(answer['body'])}" if answer.get("body") else ""
        kind = answer.get("content_type")
        return f"answer {answer['status']}{body}" + (
            f" content_type={_quoted(kind)}" if kind else ""
        )
    if redirect := action.get("redirect"):
        more = [f"{name}={_word(redirect[name])}" for name in ("path", "query") if name in redirect]
        return " ".join(["redirect", str(redirect["status"]), redirect["location"], *more])
    parts = action["split"]
    if len(parts) == 1:
        return str(parts[0]["cluster"])
    sign = "%" if sum(part["weight"] for part in parts) == ALL_PERCENT else ""
    return ", ".join(f"{part['cluster']} {part['weight']}{sign}" for part in parts)


def _in_quotes(text: str) -> str:
    """A line has no line ends: those of a document are told as programmers write them."""
    lined = text.replace("\r", "\\r").replace("\n", "\\n")
    return '"' + lined.replace('"', '""') + '"'


def _settings(resource: dict[str, Any]) -> Iterator[str]:
    if "sni" in resource:
        yield "passthrough"
    for name, field in (("strip", "strip_prefix"), ("add", "add_prefix"), ("host", "rewrite_host")):
        if value := resource.get(field):
            yield f"{name}={value}"
    for name, field in TIMES:
        if value := resource.get(field):
            yield f"{name}={time_text(value)}"
    yield from _retries(resource.get("retries"))
    if https := resource.get("https"):
        yield f"https={_https(https)}"
    if priority := resource.get("priority"):
        yield f"priority={priority}"
    yield from _of_documents(resource)


def _of_documents(resource: dict[str, Any]) -> Iterator[str]:
    """What lines have no words for."""
    if rewrite := resource.get("rewrite_path"):
        yield f"rewrite={_quoted(rewrite['regex'])} to={_quoted(rewrite['to'])}"
    for name in ("request_headers", "response_headers"):
        yield from _edits(name, resource.get(name) or {})
    if body := resource.get("body_bytes"):
        yield f"limits.body_bytes={body}"
    for name, value in (resource.get("limits") or {}).items():
        yield f"limits.{name}={value}"


def _retries(retries: dict[str, Any] | None) -> Iterator[str]:
    if retries is None:
        return
    yield f"retries={retries['attempts']}"
    for name, value in retries.items():
        if name == "per_try_timeout_ms":
            yield f"retries.per_try_timeout={time_text(value)}"
        elif name == "backoff_ms":
            yield f"retries.backoff={time_text(value['base'])}–{time_text(value['max'])}"
        elif name == "budget":
            yield f"retries.budget={value['percent']}%+{value['per_second']}/s"
        elif name != "attempts":
            yield f"retries.{name}={_word(value)}"


def _https(https: dict[str, Any]) -> str:
    words = ["redirect"] if https["redirect"] else []
    if "hsts_max_age_s" in https:
        words.append(f"hsts={https['hsts_max_age_s'] // DAY_S}d")
    return "+".join(words) or "off"


def _edits(field: str, edits: dict[str, Any]) -> Iterator[str]:
    if removed := edits.get("remove"):
        yield f"{field}.remove={','.join(removed)}"
    for kind in ("set", "add"):
        for one in edits.get(kind, ()):
            yield f"{field}.{kind}.{one['name']}={_quoted(one['value'])}"


def _word(value: Any) -> str:
    """A value as documents write it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
