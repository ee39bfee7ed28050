"""`/v1/kv/`: one key, a prefix, its names; put, cas, locks and deletes. What a change does is entries' business."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from urllib.parse import unquote, urlencode

from . import kv_entries as entries
from .answer import Answer
from .blocking import Reading, blocking, questioned
from .call import Call, Query, Route
from .errors import Refused, bad_request
from .kv_entries import Entry, KeyMistake
from .store import Reader, Writer

# What keeps a browser from taking a value for a page.
RAW_HEADERS = (("X-Content-Type-Options", "nosniff"), ("Content-Security-Policy", "sandbox"))


async def get(call: Call) -> Answer:
    key = _key(call)
    if "keys" in call.query:
        return await _NAMES(call)
    if "recurse" in call.query:
        return await _TREE(call)
    return await _ONE(call) if key else _missing()


async def put(call: Call) -> Answer:
    key, query = _key(call), call.query
    if not key:
        return _missing()
    _refuse_conflict(query, "cas", "acquire", "release")
    entry = Entry(key, call.body, query.number("flags") if "flags" in query else 0)
    change: Callable[[Writer, Entry], Entry | None] = entries.put
    if "cas" in query:
        entry = Entry(key, call.body, entry.flags, modify_index=query.number("cas"))
        change = entries.put_cas
    elif "acquire" in query:
        entry = Entry(key, call.body, entry.flags, session=_text(query.get("acquire")))
        change = entries.lock
    elif "release" in query:
        entry = Entry(key, call.body, entry.flags, session=_text(query.get("release")))
        change = entries.unlock
    try:
        return Answer(await call.store.write(lambda writer: change(writer, entry)) is not None)
    except KeyMistake as mistake:
        raise Refused(500, f"raft apply failed: {mistake}") from None


async def delete(call: Call) -> Answer:
    key, query = _key(call), call.query
    _refuse_conflict(query, "recurse", "cas")
    if "recurse" in query:
        await call.store.write(lambda writer: entries.delete_under(writer, key))
        return Answer(document=True)
    if not key:
        return _missing()
    if "cas" in query:
        index = query.number("cas")
        return Answer(await call.store.write(lambda writer: entries.delete_cas(writer, key, index)))
    await call.store.write(lambda writer: entries.delete(writer, key))
    return Answer(document=True)


def _one(call: Call, reader: Reader) -> Reading:
    key = _key(call)
    topics = (entries.key_topic(key),)
    found = entries.get(reader, key)
    if found is None:
        return _nothing(entries.table_index(reader), topics, is_absent=True)
    if "raw" in call.query:
        return Reading(
            None,
            found.modify_index,
            topics,
            raw=found.value,
            content_type="text/plain; charset=utf-8",
            headers=RAW_HEADERS,
        )
    return Reading([found.to_json()], found.modify_index, topics)


def _tree(call: Call, reader: Reader) -> Reading:
    prefix = _key(call)
    found, index = entries.listed(reader, prefix), entries.index_under(reader, prefix)
    topics = (entries.prefix_topic(prefix),)
    if not found:
        return _nothing(index, topics)
    return Reading(found, index, topics)


def _names(call: Call, reader: Reader) -> Reading:
    """The keys under a prefix, those beyond the separator cut there and told once."""
    prefix, query = _key(call), call.query
    separator = query.get("separator" if "separator" in query else "seperator")  # Consul takes both
    mark = separator.encode(errors="surrogateescape")
    names: dict[bytes, None] = {}
    for key in entries.keys_under(reader, prefix):
        cut = key.find(mark, len(prefix)) if mark else -1
        names[key if cut < 0 else key[: cut + len(mark)]] = None
    index, topics = entries.index_under(reader, prefix), (entries.prefix_topic(prefix),)
    if not names and prefix:
        return _nothing(index, topics)
    return Reading([name.decode(errors="replace") for name in names], index, topics)


_ONE, _TREE, _NAMES = blocking(_one), blocking(_tree), blocking(_names)


def _nothing(index: int, topics: tuple[str, ...], *, is_absent: bool = False) -> Reading:
    return Reading(None, index, topics, 404, b"", is_absent=is_absent)


def _missing() -> Answer:
    raise bad_request("Missing key name")


def _key(call: Call) -> bytes:
    """The key's bytes. Refused for one Consul takes for a way out of its folder, or that begins or ends with a space."""
    key = call.rest
    if not key:
        return b""
    cleaned = posixpath.normpath(key)
    if cleaned.startswith("//"):
        cleaned = cleaned[1:]  # Python keeps two, as POSIX has it; Go does not
    if key.endswith("/") and not cleaned.endswith("/"):
        cleaned += "/"
    decoded = unquote(cleaned, errors="surrogateescape")
    if ".." in cleaned.split("/") or (decoded != cleaned and ".." in decoded):
        raise Refused(500, "invalid key name, path traversal is not allowed")
    if cleaned != cleaned.strip(" ") or (decoded != cleaned and " " in decoded):
        raise Refused(500, "invalid key name, leading/trailing spaces are not allowed")
    return cleaned.encode(errors="surrogateescape")


def _text(name: str) -> str:
    """What is a text everywhere: bytes that are none are read as U+FFFD."""
    return name.encode(errors="surrogateescape").decode(errors="replace")


def _refuse_conflict(query: Query, *flags: str) -> None:
    if sum(flag in query for flag in flags) > 1:
        raise bad_request(f"Conflicting flags: {urlencode(sorted(query.pairs()))}\n")


ROUTES = (
    Route(
        "/v1/kv/",
        {"GET": questioned(get), "PUT": questioned(put), "DELETE": questioned(delete)},
        is_of_bytes=True,
    ),
)
