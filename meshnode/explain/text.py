"""An explained answer as lines for people: one step of the way each, with the key and index behind it. Decides nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from .changes_text import change_row
from .layout import LABEL_WIDTH, rows, step
from .question import Question
from .routes_text import route_lines

DAY_S = 86_400
Answer = Mapping[str, Any]


def lines(
    question: Question, answer: Answer, now_unix_s: float, *, has_all: bool = False
) -> list[str]:
    """The whole answer; the first line says the request as it was read. `has_all`: each route it names."""
    return [
        f"{question.line}   as {question.caller}",
        *_listener(question, answer),
        *_detection(answer),
        *route_lines(answer, has_all=has_all),
        *_request(answer),
        *_cluster(answer, now_unix_s),
        *_limits(answer),
        *_intention(question, answer),
        *_result(question, answer),
    ]


def _listener(question: Question, answer: Answer) -> Iterator[str]:
    listener = answer["listener"]
    if listener["address"] is None and question.source is not None:
        where = f"{question.source} does not run on this node: asked as if it did"
    else:
        where = f"{listener['address'] or 'not open'} ({listener['name']})"
    yield step("listener", where)


def _detection(answer: Answer) -> Iterator[str]:
    if sentence := answer.get("detection"):
        yield step("detection", sentence)


def _request(answer: Answer) -> Iterator[str]:
    request = answer.get("request")
    if request is None:
        return
    changes = request.get("changes") or []
    more = "" if changes else " → unchanged"
    yield step("request", f"{request['line']}{more}")
    yield from rows([change_row(one, answer) for one in changes])
    response = answer.get("response_changes") or []
    if response:
        yield step("response", "as the service answers, but")
        yield from rows([change_row(one, answer) for one in response])


def _cluster(answer: Answer, now_unix_s: float) -> Iterator[str]:
    cluster = answer.get("cluster")
    if cluster is None:
        return
    split = answer.get("split") or []
    if len(split) > 1:
        total = sum(int(one["weight"]) for one in split) or 1
        shares = ", ".join(
            f"{one['cluster']} {int(one['weight']) * 100 / total:g} %" for one in split
        )
        yield step("split", shares)
    instances = answer["instances"]
    usable = sum(bool(one["is_usable"]) for one in instances)
    noun = "instance" if len(instances) == 1 else "instances"
    yield step("cluster", f"{cluster}   {len(instances)} {noun}, {usable} usable")
    yield from rows(
        [
            (one["id"], f"{one['address']} on {one['node']}", _in_or_out(one, now_unix_s))
            for one in instances
        ]
    )


def _in_or_out(instance: Answer, now_unix_s: float) -> str:
    if instance["is_usable"]:
        return "in"
    since = ""
    if instance["since_unix_s"] is not None:
        since = f" since {_clock(float(instance['since_unix_s']), now_unix_s)}"
        since += " or earlier" if instance["is_since_start"] else ""
    note = f' ("{instance["note"]}")' if instance["note"] else ""
    policy = instance.get("policy")
    by = f', by "warning: out" in {policy["key"]} index {policy["index"]}' if policy else ""
    return f"out: {instance['sentence']}{since}{note}{by}"


def _clock(unix_s: float, now_unix_s: float) -> str:
    form = "%H:%M:%S" if now_unix_s - unix_s < DAY_S else "%Y-%m-%d %H:%M:%S"
    return time.strftime(form, time.localtime(unix_s))


def _limits(answer: Answer) -> Iterator[str]:
    """What is counted of such requests; whether one more would go on now depends on the others."""
    for at, sentence in enumerate(answer.get("limits") or ()):
        yield step("limits" if at == 0 else "", sentence)


def _intention(question: Question, answer: Answer) -> Iterator[str]:
    intention = answer.get("intention")
    if intention is None:
        return
    verdict = "allow" if intention["is_allowed"] else "deny"
    named = intention["sentence"]
    if intention.get("name"):
        named = f"intention {intention['name']}"
        if intention.get("precedence") is not None:
            named += f", precedence {intention['precedence']}, index {intention['index']}"
    where = f", by {intention['decided_by']}" if intention.get("decided_by") else ""
    pair = f"{question.caller} => {answer['destination']}"
    yield step("intention", f"{pair}   {verdict}{where} ({named})")


def _result(question: Question, answer: Answer) -> Iterator[str]:
    made = answer.get("answer")
    if question.is_raw:
        where = answer.get("cluster") or answer.get("destination")
        yield step("connection", f"closed, {made['reason']}" if made else f"goes to {where}")
        if made:
            yield " " * LABEL_WIDTH + str(made["message"])
        return
    if made is None:
        yield step("answer", f"{answer.get('cluster') or 'the service'} answers")
        return
    reason = f" {made['reason']}" if made.get("reason") else ""
    location = f" → {made['location']}" if made.get("location") else ""
    yield step("answer", f"{made['status']}{reason}{location}")
    if made.get("message"):
        yield " " * LABEL_WIDTH + str(made["message"])
