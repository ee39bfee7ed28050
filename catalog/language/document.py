"""The document form of a route, YAML or JSON, with the same meaning as the one-line form.

pydantic decides which fields there are and of which type (model.py); what a value may be is decided with the line's.
"""

from __future__ import annotations

from typing import Any, get_args

from pydantic import ValidationError

from .. import values
from ..text import Mistake, Token, quote
from ..yamltree import Mapping, Node, Scalar, Sequence, compose, plain
from . import actions, grpc, paths, streams, targets
from .conditions import PLACES, Conditions
from .faults import first_mistake
from .gaps import refuse_empty, refuse_nothing
from .limits import read_limits
from .methods import methods
from .model import RouteFields
from .parts import header_edits, retries, rewrite
from .rule import Action, Answer, Comparison, PathKind, Redirect, RedirectPath, Rule, Split
from .settings import TIMES, check_answers_itself, read_settings

_ACTIONS = ("service", "split", "redirect", "answer")
_PATH_KINDS: tuple[PathKind, ...] = ("prefix", "exact", "glob", "regex")
_COMPARISONS: tuple[Comparison, ...] = ("exact", "prefix", "suffix", "regex")
_SETTINGS = {
    **{name: name for name in (*TIMES, "strip", "add", "replace", "priority", "https")},
    "rewrite_host": "host",
}
"""A document's name of each setting a line has, and the line's."""
_FORWARDING = ("rewrite", "request_headers", "response_headers", "retries", "limits")
"""What documents alone say, or say at more length."""


def parse_document(text: str) -> Rule:
    """The rule of a YAML or JSON document. Raises Mistake with line and column."""
    root = compose(text)
    try:
        RouteFields.model_validate(plain(root))
    except ValidationError as error:
        raise first_mistake(error, root, RouteFields) from None
    refuse_nothing(root)
    for kind in streams.FIELDS:
        if kind in root.items:
            return _stream(root, kind)
    if streams.PASSTHROUGH in root.items:
        raise streams.refuse_flag(root.names[streams.PASSTHROUGH])
    taken = _match(root)
    path, kind = taken["path"], taken["path_kind"]
    action = _action(root)
    settings = {
        line: (root.names[name], root.items[name].at)
        for name, line in _SETTINGS.items()
        if name in root.items
    }
    fields = read_settings(settings, path, kind, action)
    forwarding = {name: root.names[name] for name in _FORWARDING if name in root.items}
    if forwarding and not isinstance(action, Split):
        check_answers_itself(action, forwarding)
    if forwarding:
        fields |= _forwarding(root, settings)
    refuse_empty(root)
    return Rule(action=action, **taken, **fields)


def _stream(root: Mapping, kind: str) -> Rule:
    """A route of raw connections."""
    for name, at in root.names.items():
        if name == streams.PASSTHROUGH and kind == streams.TCP:
            raise streams.refuse_flag(at)
        if name == streams.SNI and kind == streams.TCP:
            sentence = (
                '"tcp" takes all that comes by its port: nothing is read of it, no name either'
            )
            raise Mistake(sentence, at)
        if name not in streams.FIELDS[kind]:
            raise streams.no_request(name, at)
    conditions = Conditions.none()
    if "when" in root.items:
        _take_when(root.items["when"], conditions)
    settings = {
        name: (root.names[name], root.items[name].at)
        for name in streams.SETTINGS
        if name in root.items
    }
    taken_by: int | tuple[str, ...]
    if kind == streams.TCP:
        taken_by = streams.port(_at(root, streams.TCP))
    else:
        taken_by = streams.names(_tokens(root.items[streams.SNI]))
        if not taken_by:
            raise Mistake("the list has no host", root.items[streams.SNI].at)
        passed = root.items.get(streams.PASSTHROUGH)
        is_passed = passed is not None and plain(passed) is True
        streams.check_passed(passed.at if passed and is_passed else None, root.at)
    made = streams.rule(taken_by, conditions, _action(root), root.at, settings)
    refuse_empty(root)
    return made


def _match(root: Mapping) -> dict[str, Any]:
    """What the route takes."""
    items = root.items
    taken: dict[str, Any] = {}
    conditions = Conditions.none()
    if "host" in items and "hosts" in items:
        raise Mistake('"host" and "hosts" say the same; one is enough', root.names["hosts"])
    if "grpc" in items:
        for beside in ("path", "exact", "methods"):
            if beside in items:
                raise Mistake(
                    f'"grpc" says path and method and cannot stand beside "{beside}"',
                    root.names[beside],
                )
        taken["path"], taken["path_kind"] = grpc.service_path(_at(root, "grpc"))
        taken["methods"] = grpc.METHODS
        conditions.found[grpc.CONTENT_TYPE] = root.names["grpc"]
    else:
        taken["path"], taken["path_kind"] = _path(root)
    if "methods" in items:
        taken["methods"] = methods(_tokens(items["methods"]))
    if "hosts" in items or "host" in items:
        name = "hosts" if "hosts" in items else "host"
        taken["hosts"] = values.hosts(_tokens(items[name]))
        if not taken["hosts"]:
            raise Mistake("the list has no host", items[name].at)
    elif "grpc" in items:
        taken["hosts"] = ("*",)
    else:
        raise Mistake('the field "host" is missing', root.at)
    if "when" in items:
        _take_when(items["when"], conditions)
    taken["conditions"] = conditions.conditions()
    taken["client_addresses"] = tuple(conditions.client_addresses)
    taken["sources"] = tuple(conditions.sources)
    return taken


def _path(root: Mapping) -> tuple[str, PathKind]:
    node = root.items.get("path")
    exact = root.items.get("exact")
    is_exact = isinstance(exact, Scalar) and exact.value is True
    if node is None:
        return "/", "exact" if is_exact else "prefix"
    if not isinstance(node, Mapping):
        kind: PathKind = "exact" if is_exact else "prefix"
        return paths.path(node.at, kind), kind
    kinds = [kind for kind in _PATH_KINDS if kind in node.items]
    if exact is not None:
        raise Mistake(
            '"exact" stands within "path", as in path: {exact: /cart}', root.names["exact"]
        )
    if len(kinds) != 1:
        sentence = "a path is one of prefix, exact, glob and regex"
        raise Mistake(sentence, node.names[kinds[1]] if kinds else node.at)
    return paths.path(_at(node, kinds[0]), kinds[0]), kinds[0]


def _take_when(node: Node, conditions: Conditions) -> None:
    items = node.items if isinstance(node, Sequence) else (node,)
    for item in items:
        if isinstance(item, Mapping):
            _take_fields(item, conditions)
        else:
            conditions.take_word(item.at)


def _take_fields(item: Mapping, conditions: Conditions) -> None:
    subjects = [name for name in (*PLACES, "client", "from") if name in item.items]
    if len(subjects) != 1:
        sentence = "a condition is about one of header, query, cookie, client and from"
        raise Mistake(sentence, item.names[subjects[1]] if subjects else item.at)
    comparisons = [name for name in _COMPARISONS if name in item.items]
    subject = subjects[0]
    if subject in ("client", "from"):
        if beside := next((name for name in item.items if name != subject), None):
            raise Mistake(f'{quote(beside)} has no meaning beside "{subject}"', item.names[beside])
        if conditions.client_addresses if subject == "client" else conditions.sources:
            raise Mistake(
                f'"{subject}" stands here twice; several are one list', item.names[subject]
            )
        for token in _tokens(item.items[subject]):
            if subject == "client":
                conditions.take_client(token)
            else:
                conditions.take_source(token)
        return
    if len(comparisons) > 1:
        sentence = "a condition compares in one way; two of them are two conditions"
        raise Mistake(sentence, item.names[comparisons[1]])
    negated = item.items.get("negated")
    conditions.take(
        next(place for place in PLACES if place == subject),
        _at(item, subject),
        comparisons[0] if comparisons else "present",
        _at(item, comparisons[0]) if comparisons else None,
        item.at,
        is_negated=isinstance(negated, Scalar) and negated.value is True,
    )


def _action(root: Mapping) -> Action:
    found = [name for name in _ACTIONS if name in root.items]
    if not found:
        raise Mistake(
            "a route leads somewhere: the field service, split, redirect or answer is missing",
            root.at,
        )
    if len(found) > 1:
        sentence = f"a route leads to one of {' and '.join(found[:2])}, not to both"
        raise Mistake(sentence, root.names[found[1]])
    name = found[0]
    node = root.items[name]
    if name == "service":
        return Split(((targets.target(node.at), 1),))
    if isinstance(node, Mapping):
        return _redirect(node) if name == "redirect" else _answer(node)
    assert isinstance(node, Sequence)
    if not node.items:
        raise Mistake("the split has no service", node.at)
    return targets.split([_part(item) for item in node.items])


def _redirect(node: Mapping) -> Redirect:
    path, query = node.items.get("path"), node.items.get("query")
    words: tuple[RedirectPath, ...] = get_args(RedirectPath)
    return Redirect(
        actions.redirect_status(_at(node, "status")),
        actions.location(_at(node, "location")),
        next((word for word in words if path and word == path.at.text), None),
        query.value is True if isinstance(query, Scalar) else None,
    )


def _answer(node: Mapping) -> Answer:
    status = actions.answer_status(_at(node, "status"))
    return Answer(
        status,
        actions.answer_body(_at(node, "body"), status) if "body" in node.items else "",
        actions.content_type(_at(node, "content_type")) if "content_type" in node.items else None,
    )


def _part(item: Node) -> tuple[Token, Token]:
    assert isinstance(item, Mapping)
    weight = item.items["weight"]
    at = _at(item, "weight")
    if isinstance(weight, Scalar) and isinstance(weight.value, int):
        at = Token(f"{weight.value}%", at.line, at.column, at.length)
    return _at(item, "service"), at


def _forwarding(root: Mapping, settings: dict[str, Any]) -> dict[str, Any]:
    """What only documents say of requests that are sent on."""
    items = root.items
    fields: dict[str, Any] = {}
    if "rewrite" in items:
        if beside := next((name for name in ("strip", "add", "replace") if name in settings), None):
            sentence = f'"rewrite" makes the whole path and cannot stand beside "{beside}"'
            raise Mistake(sentence, root.names["rewrite"])
        fields["rewrite_path"] = rewrite(items["rewrite"])
    for name in ("request_headers", "response_headers"):
        if name in items:
            fields[name] = header_edits(items[name], root.names[name])
    if "retries" in items:
        fields["retries"] = retries(items["retries"])
    if "limits" in items:
        fields |= read_limits(items["limits"], root.names["limits"])
    return fields


def _tokens(node: Node) -> list[Token]:
    return [item.at for item in node.items] if isinstance(node, Sequence) else [node.at]


def _at(mapping: Mapping, name: str) -> Token:
    return mapping.items[name].at
