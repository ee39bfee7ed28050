"""`meshnode kv`: reads and writes keys as they are: no value is taken for a file, a flag or standard input by its looks."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from catalog import KvEntry, key_problem, route_name

from ..errors import MeshnodeError, UsageError
from .completing import complete_key
from .misplaced import EXAMPLE_KEY, FOLDER_ITSELF, FOLDERS, MACHINES, meant
from .misuse import file_of, unquoted
from .nodes import read_nodes
from .options import Asked, with_consul
from .output import printable, say, say_json
from .reach import consul_client, run
from .verdict import Sent, say_deleted, say_verdict
from .waiting import PEOPLES, TIMEOUT, Timeout, Wait, seconds_of, wait_for_verdict

app = typer.Typer(help="Read and write keys in Consul.", no_args_is_help=True)

# Consul's own limit of a value.
VALUE_LIMIT_BYTES = 512 * 1024
# Folders whose keys have names of a certain form.
NAMED = tuple(f"{PEOPLES}{folder}/" for folder in FOLDERS)
EXAMPLE = "meshnode kv put mesh/routes/shop 'shop.example/ -> shop'"

Key = Annotated[
    str,
    typer.Argument(help="The key, such as mesh/routes/shop.", autocompletion=complete_key),
]


@app.command(context_settings={"ignore_unknown_options": True})
@with_consul
def put(
    asked: Asked,
    key: Key,
    value: Annotated[
        str | None, typer.Argument(help="The value, in single quotes; left out: standard input.")
    ] = None,
    file: Annotated[Path | None, typer.Option("--file", help="Read the value from a file.")] = None,
    wait: Wait = True,  # noqa: FBT002  (a flag)
    timeout: Timeout = TIMEOUT,
) -> None:
    """Write one key, and say what the nodes think of it."""
    check_key(key)
    output = file_of(sys.stdout.fileno())
    is_route = key.startswith(f"{PEOPLES}routes/")
    if is_route and output is not None and value is not None and value.endswith("-"):
        raise UsageError(unquoted(["put", key, value], output))
    if key.startswith(PEOPLES) and value is not None and (value == "-" or value.startswith("@")):
        raise UsageError(
            f'"{printable(value)}" would be the value itself, so that none of somebody else\'s names a file of yours: '
            "give --file FILE, or leave the value out for standard input"
        )
    run(_put(asked, key, read_value(value, file), seconds_of(timeout) if wait else 0.0))


@app.command()
@with_consul
def get(asked: Asked, key: Key) -> None:
    """Print the value of one key as it is."""
    run(_get(asked, key))


@app.command()
@with_consul
def delete(
    asked: Asked,
    key: Key,
    recurse: Annotated[bool, typer.Option("--recurse", help="All keys that begin so.")] = False,  # noqa: FBT002  (a flag)
    wait: Wait = True,  # noqa: FBT002  (a flag)
    timeout: Timeout = TIMEOUT,
) -> None:
    """Delete one key, and say when the nodes have left it."""
    if key.startswith(MACHINES) or (recurse and MACHINES.startswith(key)):
        raise UsageError(
            f'what lies under {MACHINES} is the nodes\' own: it is not deleted by "kv delete"'
        )
    run(_delete(asked, key, seconds_of(timeout) if wait else 0.0, recurse=recurse))


@app.command("ls")
@with_consul
def list_keys(
    asked: Asked, prefix: Annotated[str, typer.Argument(help="Where they begin.")] = PEOPLES
) -> None:
    """List keys with the index of their last change and the start of their value."""
    run(_list(asked, prefix))


def check_key(key: str) -> None:
    """Raises UsageError for a key that no node would read, or that is not a person's to write."""
    if key.startswith(MACHINES):
        raise UsageError(
            f"what lies under {MACHINES} is written by nodes alone; people write under {PEOPLES}"
        )
    if key.startswith("/") or not key:
        raise UsageError(f'no key begins with a slash: write "{key.lstrip("/") or PEOPLES}"')
    if key == FOLDER_ITSELF:
        raise UsageError(
            f"{key} is the folder, no key of it: write one under it, such as {EXAMPLE_KEY}"
        )
    if not key.startswith(PEOPLES):
        if right := meant(key):
            raise UsageError(f'the mesh reads keys under {PEOPLES}: did you mean "{right}"?')
        return
    problem = key_problem(KvEntry(key, b"", 0))
    is_route = route_name(key) is not None
    if not is_route and problem is not None and (problem.suggestion or key.startswith(NAMED)):
        raise UsageError(f"{key}: {problem.message}")


def read_value(word: str | None, file: Path | None) -> bytes:
    """The value of a word, a file or standard input. Raises UsageError."""
    if word is not None and file is not None:
        raise UsageError("give the value or --file, not both")
    if word is not None:
        raw = word.encode(errors="surrogateescape")
    elif file is not None:
        try:
            raw = file.read_bytes()
        except OSError as error:
            raise UsageError(f"{file} can not be read: {error.strerror}") from error
    elif sys.stdin.isatty():
        raise UsageError(f"the value is missing: {EXAMPLE}")
    else:
        raw = sys.stdin.buffer.read(VALUE_LIMIT_BYTES + 1)
        if not raw:
            raise UsageError(f"the value is missing, standard input is empty: {EXAMPLE}")
    if len(raw) > VALUE_LIMIT_BYTES:
        raise UsageError(
            f"the value has more than {VALUE_LIMIT_BYTES:,} bytes, which Consul does not take"
        )
    return raw


async def _put(asked: Asked, key: str, value: bytes, wait_s: float) -> None:
    async with consul_client(asked.settings) as client:
        before = await client.kv_get(key)
        sent_ms = _now_ms()
        if not await client.kv_put(key, value):
            raise MeshnodeError(
                f"Consul did not take {key}: a lock or another writer is in the way"
            )
        written = await client.kv_get(key, consistent=True)
        if written is None or written.value != value:
            raise MeshnodeError(_put_over(key, None if written is None else written.modify_index))
        # A put of the same value changes no index in Consul, and wakes nobody.
        is_same = before is not None and before.modify_index == written.modify_index
        note = "the same value as before; " if is_same else ""
        if not key.startswith(PEOPLES) or wait_s <= 0:
            index = written.modify_index
            unread = "" if key.startswith(PEOPLES) else f"; no node reads it: {PEOPLES} is read"
            done = f"{key}   {note}written, index {index}{unread}"
            _done(asked, done, {"key": key, "index": index})
            return
        verdict = await wait_for_verdict(client, key, wait_s)
        if verdict.index != written.modify_index:
            raise MeshnodeError(_put_over(key, verdict.index))
    sent = None if is_same else Sent(sent_ms, _now_ms())
    say_verdict(verdict, as_json=asked.as_json, note=note, sent=sent)


def _put_over(key: str, index: int | None) -> str:
    """What to say where somebody else wrote after us: what nodes answer is no verdict on our value then."""
    now = "deleted it" if index is None else f"put over it: index {index} stands there"
    return f"{key} was written, but somebody else at once {now}"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


async def _get(asked: Asked, key: str) -> None:
    async with consul_client(asked.settings) as client:
        entry = await client.kv_get(key)
    if entry is None:
        raise MeshnodeError(
            f"there is no key {printable(key)}: `meshnode kv ls` lists those there are"
        )
    if asked.as_json:
        say_json(_document(entry))
        return
    sys.stdout.buffer.write(entry.value)
    if sys.stdout.isatty() and not entry.value.endswith(b"\n"):
        sys.stdout.buffer.write(b"\n")
    sys.stdout.buffer.flush()


async def _delete(asked: Asked, key: str, wait_s: float, *, recurse: bool) -> None:
    async with consul_client(asked.settings) as client:
        entries = await client.kv_list(key) if recurse else [await client.kv_get(key)]
        there = [entry for entry in entries if entry is not None]
        if not there:
            raise MeshnodeError(
                f"there is no key {printable(key)}: `meshnode kv ls` lists those there are"
            )
        await client.kv_delete(key, recurse=recurse)
        names = [entry.key for entry in there]
        if not key.startswith(PEOPLES) or wait_s <= 0:
            _done(asked, f"deleted {', '.join(names)}", {"deleted": names})
            return
        # Nodes see by all keys together what is gone: of several, what they say of one they say of each.
        verdict = await wait_for_verdict(client, names[0], wait_s)
        broken = (await read_nodes(client)).broken_by(frozenset(names)) if recurse else ()
    if recurse:
        say_deleted(names, verdict, broken, as_json=asked.as_json)
    else:
        say_verdict(verdict, as_json=asked.as_json)


async def _list(asked: Asked, prefix: str) -> None:
    async with consul_client(asked.settings) as client:
        entries = await client.kv_list(prefix)
    if asked.as_json:
        say_json([_document(entry) for entry in entries])
        return
    if not entries:
        more = (
            f"; the first route: {EXAMPLE}"
            if prefix == PEOPLES
            else f": `meshnode kv ls` lists all that people wrote under {PEOPLES}"
        )
        say(f"no key begins with {prefix}{more}")
    width = max((len(entry.key) for entry in entries), default=0)
    for entry in entries:
        say(f"{entry.key:<{width}}  {entry.modify_index:>8}  {_start(entry.value)}")


def _start(value: bytes) -> str:
    """The first line of a value, cut."""
    line = value[:200].decode(errors="replace").strip().partition("\n")[0]
    return printable(line[:80] + ("…" if len(line) > 80 else ""))


def _document(entry: KvEntry) -> dict[str, object]:
    return {
        "key": entry.key,
        "index": entry.modify_index,
        "value": entry.value.decode(errors="replace"),
        "is_text": _is_text(entry.value),
    }


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _done(asked: Asked, sentence: str, document: dict[str, object]) -> None:
    if asked.as_json:
        say_json(document)
    else:
        say(sentence)
