"""The value of a route's field as a person would write it, in one line. Reads no key."""

from __future__ import annotations

from typing import Any

EDITS = ("request_headers.", "response_headers.")
SIGNS = {"exact": "=", "prefix": "^=", "suffix": "$=", "regex": "~="}
PLACES = ("header", "query", "cookie")
ANY_OF = ("client", "from")


def value_text(name: str, value: Any) -> str:
    """By the field's name in documents; None is `none`."""
    if value is None:
        return "none"
    if name.startswith(EDITS):
        return ", ".join(kind if kind == "remove" else f"{kind} {text}" for kind, text in value)
    if name == "split":
        return ", ".join(f"{one['service']} {one['weight']}%" for one in value)
    if name == "when":
        return ", ".join(_condition(one) for one in value)
    return _written(value)


def _condition(one: dict[str, Any]) -> str:
    for name in ANY_OF:
        if name in one:
            return f"{name}={'|'.join(one[name])}"
    place = next(name for name in PLACES if name in one)
    kind = next((kind for kind in SIGNS if kind in one), None)
    compared = "" if kind is None else f"{SIGNS[kind]}{one[kind]}"
    return f"{'!' if one.get('negated') else ''}{place}.{one[place]}{compared}"


def _written(value: Any, *, is_within: bool = False) -> str:
    """As YAML has it on one line, without the outer brackets."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        text = ", ".join(f"{name}: {_written(one, is_within=True)}" for name, one in value.items())
        return f"{{{text}}}" if is_within else text
    if isinstance(value, list):
        text = ", ".join(_written(one, is_within=True) for one in value)
        return f"[{text}]" if is_within else text
    return str(value)
