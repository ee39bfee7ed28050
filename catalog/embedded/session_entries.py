"""How sessions go: with their node, with a check they hang on, or on their own; and what wakes for it. Knows no HTTP."""

from __future__ import annotations

import orjson

from . import kv_entries
from .durations import SECOND_NS
from .store import Writer

SESSIONS = "sessions"
RELEASE, DELETE = "release", "delete"


def session_topic(session: str) -> str:
    return f"session={session.lower()}"


def node_topic(node: str) -> str:
    return f"sessions@{node.lower()}"


def changed(writer: Writer, session: str, node: str) -> None:
    writer.bump(SESSIONS)
    writer.wake(session_topic(session), node_topic(node))


def node_gone(writer: Writer, node: str) -> None:
    """The node left the catalog: its sessions are lost."""
    for row in writer.rows("SELECT id FROM sessions WHERE node = ?", node):
        lose(writer, row["id"])


def check_lost(writer: Writer, node: str, check_id: str) -> None:
    """The check is critical, or gone: sessions that hang on it are lost."""
    for row in writer.rows(
        "SELECT session FROM session_checks WHERE node = ? AND check_id = ?", node, check_id
    ):
        lose(writer, row["session"])


def lose(writer: Writer, session: str) -> None:
    """Ends a session with all it held. One that is gone already is no error."""
    row = writer.row("SELECT * FROM sessions WHERE id = ?", session)
    if row is None:
        return
    document = orjson.loads(row["document"])
    writer.execute("DELETE FROM sessions WHERE id = ?", session)
    writer.execute("DELETE FROM session_checks WHERE session = ?", session)
    changed(writer, row["id"], row["node"])
    kv_entries.give_up(
        writer,
        row["id"],
        is_delete=document["Behavior"] == DELETE,
        delay_s=document["LockDelay"] / SECOND_NS,
    )
