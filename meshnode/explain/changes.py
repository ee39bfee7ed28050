"""Which key says each change to a request or its answer: the route's own, its service's policy, or the mesh's settings.

Decides nothing about what is changed: the proxy did.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from catalog import Form, KvEntry, Policies, to_resource

Change = Mapping[str, Any]
Origin = tuple[str, int]
"""A key and its index."""

HEADER = "header "
HEADER_FIELDS = ("request_headers", "response_headers")
"""Fields of a route that policies add to, header by header."""
WORDS: Mapping[str, tuple[str, str]] = {
    "strip_prefix": ("strip=", "strip"),
    "add_prefix": ("add=", "add"),
    "rewrite_host": ("host=", "rewrite_host"),
    "rewrite_path": ("rewrite", "rewrite"),
}
"""A field of the proxy's route, as a line and as a document write it."""
REPLACED = "strip_prefix, add_prefix"
REPLACE = "replace="
ARROW = b"->"


def with_origins(
    changes: list[Change],
    route: Mapping[str, Any] | None,
    forms: Mapping[str, Form],
    policies: Policies,
    keys: tuple[KvEntry, ...],
) -> list[dict[str, Any]]:
    """The changes with `key` and `index` of what says them and `written`, the setting in people's words.

    All three are None where no key says it: the proxy brings each request to its normal form.
    """
    if route is None or not changes:
        return [dict(one) for one in changes]
    made_by = _documents(route, forms, policies)
    value = next(
        (one.value for one in keys if one.key == route["key"] and one.modify_index == route["index"]),
        None,
    )  # fmt: skip
    return [_with_origin(one, route, made_by, value) for one in changes]


def _with_origin(
    change: Change,
    route: Mapping[str, Any],
    documents: list[tuple[Origin, Mapping[str, Any]]],
    value: bytes | None,
) -> dict[str, Any]:
    field, _, kind = str(change.get("by") or "").partition(".")
    if field in HEADER_FIELDS:
        key, index = _speaker(field, str(change["what"]).removeprefix(HEADER), documents) or (
            route["key"],
            route["index"],
        )
        return {**change, "key": key, "index": index, "written": f"{field}.{kind}"}
    if written := _written(field, value):
        return {**change, "key": route["key"], "index": route["index"], "written": written}
    return {**change, "key": None, "index": None, "written": None}


def _written(field: str, value: bytes | None) -> str:
    """A setting of the route's own; `value` is its key's, where that is the one in force."""
    if field == REPLACED and value is not None and REPLACE.encode() in value:
        return REPLACE
    at = 1 if value is not None and ARROW not in value else 0
    return ", ".join(WORDS[one][at] for one in field.split(", ") if one in WORDS)


def _documents(
    route: Mapping[str, Any], forms: Mapping[str, Form], policies: Policies
) -> list[tuple[Origin, Mapping[str, Any]]]:
    """What speaks for the route, nearest first: itself, its services' policies, the mesh's settings."""
    form = forms.get(route["key"])
    found: list[tuple[Origin, Mapping[str, Any]]] = []
    services: tuple[str, ...] = (str(route["name"]).removeprefix("mesh:"),)
    if form is not None:
        found.append(((form.route.key, form.route.index), to_resource(form.route)))
        services = form.services
    near = [policies.services[name] for name in services if name in policies.services]
    found += [((one.key, one.index), one.meaning.sent_on) for one in near]
    if settings := policies.settings:
        found.append(((settings.key, settings.index), settings.meaning.sent_on))
    return found


def _speaker(
    field: str, header: str, documents: list[tuple[Origin, Mapping[str, Any]]]
) -> Origin | None:
    """The nearest that speaks of a header: the others have no say about it then."""
    for origin, fields in documents:
        if header in _headers(fields.get(field) or {}):
            return origin
    return None


def _headers(edits: Mapping[str, Any]) -> Iterator[str]:
    yield from edits.get("remove", ())
    for kind in ("set", "add"):
        yield from (one["name"] for one in edits.get(kind, ()))
