"""`/v1/txn`: up to 128 operations on keys, all or none. What each does is kv_entries' business."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

from . import kv_entries
from .answer import Answer
from .blocking import Question
from .body import Fields, go_kind, parse_json, quoted
from .call import PAGES, Call, Route
from .errors import Refused, bad_request
from .kv_entries import Entry, KeyMistake
from .store import Reader, Writer

MAX_OPERATIONS = 128
_KINDS = {"node": "Node", "service": "Service", "check": "Check"}

_NONE: Mapping[str, Any] = {}

Results = list[dict[str, Any]]


class _Failed(Exception):  # noqa: N818  (the answer to the whole transaction)
    """Takes back what the operations before it did."""

    def __init__(self, errors: Results, *, was_run: bool) -> None:
        self.errors = errors
        self.was_run = was_run


async def txn(call: Call) -> Answer:
    operations = _operations(call.body)
    try:
        if any(verb in _WRITING for verb, _ in operations):
            return _done(await call.store.write(lambda writer: _run(writer, operations)))
        Question.of(call)
        fields, headers = _read_fields(is_known_leader=True)
        return _done(call.store.read(lambda reader: _run(reader, operations)), fields, headers)
    except _Failed as failed:
        if any(verb in _WRITING for verb, _ in operations):
            return _refused(failed.errors)
        # Consul has not asked the leader yet when it refuses an operation that cannot be.
        return _refused(failed.errors, *_read_fields(is_known_leader=failed.was_run))


def _done(
    results: Results, fields: Mapping[str, Any] = _NONE, headers: Mapping[str, str] = _NONE
) -> Answer:
    return Answer({"Results": results, "Errors": None, **fields}, headers=headers)


def _refused(
    errors: Results, fields: Mapping[str, Any] = _NONE, headers: Mapping[str, str] = _NONE
) -> Answer:
    document = {"Results": None, "Errors": errors, **fields}
    return Answer(document, 409, None, "application/json; charset=utf-8", headers)


def _read_fields(*, is_known_leader: bool) -> tuple[dict[str, Any], dict[str, str]]:
    """What the answer of a transaction that only reads has on top, in its body and its head."""
    fields = {
        "Index": int(is_known_leader),
        "LastContact": 0,
        "KnownLeader": is_known_leader,
        "ConsistencyLevel": "",
        "NotModified": False,
        "Backend": 0,
        "ResultsFilteredByACLs": False,
    }
    leader = "true" if is_known_leader else "false"
    return fields, {"X-Consul-KnownLeader": leader, "X-Consul-LastContact": "0"}


def _run(tx: Reader, operations: list[tuple[str, Entry]]) -> Results:
    _failed_before(tx, operations)
    results: Results = []
    errors: Results = []
    for index, (verb, entry) in enumerate(operations):
        try:
            results += _VERBS[verb](tx, entry)
        except KeyMistake as mistake:
            errors.append(_error(index, str(mistake)))
    if errors:
        raise _Failed(errors, was_run=True)
    return results


def _failed_before(tx: Reader, operations: list[tuple[str, Entry]]) -> None:
    """Refuses what Consul looks at before it begins."""
    errors: Results = []
    for index, (verb, entry) in enumerate(operations):
        if not entry.key and verb != "delete-tree":
            errors.append(_error(index, "Must provide key"))
        elif verb not in _VERBS:
            errors.append(_error(index, f"unknown KV operation: {verb}"))
        elif verb == "lock" and kv_entries.is_delayed(_writer(tx), entry.key):
            what = f"failed to lock key {quoted(entry.name)} due to lock delay"
            errors.append(_error(index, what))
    if errors:
        raise _Failed(errors, was_run=False)


def _error(index: int, what: str) -> dict[str, Any]:
    return {"OpIndex": index, "What": what}


# What the verbs do


def _get(tx: Reader, entry: Entry) -> Results:
    found = kv_entries.get(tx, entry.key)
    if found is None:
        raise KeyMistake(f"key {quoted(entry.name)} doesn't exist")
    return [{"KV": found.to_json()}]


def _get_or_empty(tx: Reader, entry: Entry) -> Results:
    found = kv_entries.get(tx, entry.key)
    return [{"KV": found.to_json() if found else entry.to_json(with_value=False)}]


def _get_tree(tx: Reader, entry: Entry) -> Results:
    return [{"KV": found} for found in kv_entries.listed(tx, entry.key)]


def _check_index(tx: Reader, entry: Entry) -> Results:
    found = kv_entries.get(tx, entry.key)
    if found is None:
        raise KeyMistake(f"failed to check index, key {quoted(entry.name)} doesn't exist")
    if found.modify_index != entry.modify_index:
        raise KeyMistake(
            f"failed index check for key {quoted(entry.name)}, "
            f"current modify index {found.modify_index} != {entry.modify_index}"
        )
    return _told(found)


def _check_session(tx: Reader, entry: Entry) -> Results:
    found = kv_entries.get(tx, entry.key)
    if found is None:
        raise KeyMistake(f"failed to check session, key {quoted(entry.name)} doesn't exist")
    if (found.session or "") != (entry.session or ""):
        raise KeyMistake(
            f"failed session check for key {quoted(entry.name)}, "
            f"current session {quoted(found.session or '')} != {quoted(entry.session or '')}"
        )
    return _told(found)


def _check_not_exists(tx: Reader, entry: Entry) -> Results:
    if kv_entries.get(tx, entry.key) is not None:
        raise KeyMistake(f"key {quoted(entry.name)} exists")
    return []


def _set(tx: Reader, entry: Entry) -> Results:
    return _told(kv_entries.put(_writer(tx), entry))


def _cas(tx: Reader, entry: Entry) -> Results:
    return _told(kv_entries.put_cas(_writer(tx), entry), "set", entry, "index is stale")


def _lock(tx: Reader, entry: Entry) -> Results:
    return _told(kv_entries.lock(_writer(tx), entry), "lock", entry, "lock is already held")


def _unlock(tx: Reader, entry: Entry) -> Results:
    reason = "lock isn't held, or is held by another session"
    return _told(kv_entries.unlock(_writer(tx), entry), "unlock", entry, reason)


def _delete(tx: Reader, entry: Entry) -> Results:
    kv_entries.delete(_writer(tx), entry.key)
    return []


def _delete_cas(tx: Reader, entry: Entry) -> Results:
    if not kv_entries.delete_cas(_writer(tx), entry.key, entry.modify_index):
        raise KeyMistake(f"failed to delete key {quoted(entry.name)}, index is stale")
    return []


def _delete_tree(tx: Reader, entry: Entry) -> Results:
    kv_entries.delete_under(_writer(tx), entry.key)
    return []


_VERBS: Mapping[str, Callable[[Reader, Entry], Results]] = {
    "set": _set,
    "cas": _cas,
    "lock": _lock,
    "unlock": _unlock,
    "get": _get,
    "get-or-empty": _get_or_empty,
    "get-tree": _get_tree,
    "check-index": _check_index,
    "check-session": _check_session,
    "check-not-exists": _check_not_exists,
    "delete": _delete,
    "delete-cas": _delete_cas,
    "delete-tree": _delete_tree,
}
_WRITING = frozenset({"set", "cas", "lock", "unlock", "delete", "delete-cas", "delete-tree"})


def _writer(tx: Reader) -> Writer:
    assert isinstance(tx, Writer)  # a verb that writes makes the transaction a write
    return tx


def _told(
    entry: Entry | None, what: str = "", asked: Entry | None = None, reason: str = ""
) -> Results:
    """The entry without its value; None is the operation's failure."""
    if entry is None:
        assert asked is not None
        raise KeyMistake(f"failed to {what} key {quoted(asked.name)}, {reason}")
    return [{"KV": entry.to_json(with_value=False)}]


# Reading the body


def _operations(body: bytes) -> list[tuple[str, Entry]]:
    try:
        found = parse_json(body)
        if found is not None and not isinstance(found, list):
            kind = go_kind(found)
            raise bad_request(
                f"Failed to parse body: json: cannot unmarshal {kind} into Go value of type api.TxnOps"
            )
        operations = [_operation(Fields(one, "api.TxnOp")) for one in found or ()]
    except ValueError as error:
        raise bad_request(f"Failed to parse body: {error}") from None
    if len(operations) > MAX_OPERATIONS:
        raise Refused(
            413,
            f"Transaction contains too many operations ({len(operations)} > {MAX_OPERATIONS})",
        )
    return operations


def _operation(fields: Fields) -> tuple[str, Entry]:
    for name in fields.original:
        if name.casefold() in _KINDS:
            kind = _KINDS[name.casefold()]
            raise Refused(
                501,
                f"transactions of the embedded registry have KV operations only, and this one has {kind}: use "
                "/v1/catalog/register, or a real Consul (meshnode dev --consul ADDR)",
            )
        if name.casefold() != "kv":
            raise ValueError(f"json: unknown field {quoted(name)}")
    kv = fields.object("KV")
    if kv is None:
        raise bad_request("Failed to parse body: an operation without KV")
    entry = Entry(
        kv.text("Key").encode(errors="replace"),
        _value(kv.text("Value")),
        kv.unsigned("Flags"),
        kv.text("Session") or None,
        modify_index=kv.unsigned("Index"),
    )
    return kv.text("Verb"), entry


def _value(text: str) -> bytes:
    try:
        return base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except ValueError:  # what is no base64, and what is no ASCII
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        at = next((i for i, c in enumerate(text) if c not in alphabet), len(text))
        raise ValueError(f"illegal base64 data at input byte {at}") from None


ROUTES = (Route("/v1/txn", {"PUT": txn}, limit_page=f"{PAGES}#txn_max_req_len"),)
