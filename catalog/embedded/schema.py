"""The tables of the registry's file, as steps from one version to the next. Only ever appended to."""

from __future__ import annotations

STEPS: tuple[str, ...] = (
    """
    -- The highest index at which something of this name changed: a table's, or one of Consul's finer ones.
    CREATE TABLE indexes (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;

    -- Keys are bytes: Consul takes what is no UTF-8, and a prefix is a range of bytes. Flags are a decimal text, since
    -- they have 64 bits without a sign.
    CREATE TABLE kv (
        key BLOB PRIMARY KEY, value BLOB NOT NULL, flags TEXT NOT NULL, session TEXT, lock_index INTEGER NOT NULL,
        create_index INTEGER NOT NULL, modify_index INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX kv_session ON kv (session) WHERE session IS NOT NULL;

    -- What was deleted lately: a prefix whose newest key is gone must not fall back to an older index.
    CREATE TABLE tombstones (
        key BLOB PRIMARY KEY, modify_index INTEGER NOT NULL, made_at REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX tombstones_made_at ON tombstones (made_at);

    -- Keys nobody may lock yet, since the session that held them was lost and not released.
    CREATE TABLE lock_delays (key BLOB PRIMARY KEY, ends_at REAL NOT NULL) WITHOUT ROWID;

    -- `document` is what the API answers, without the indexes.
    CREATE TABLE sessions (
        id TEXT PRIMARY KEY COLLATE NOCASE, node TEXT NOT NULL COLLATE NOCASE, document TEXT NOT NULL,
        create_index INTEGER NOT NULL, modify_index INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX sessions_node ON sessions (node);

    -- Which checks end which session when they go critical or away.
    CREATE TABLE session_checks (
        node TEXT NOT NULL COLLATE NOCASE, check_id TEXT NOT NULL COLLATE NOCASE, session TEXT NOT NULL,
        PRIMARY KEY (node, check_id, session)
    ) WITHOUT ROWID;
    CREATE INDEX session_checks_session ON session_checks (session);

    CREATE TABLE nodes (
        name TEXT PRIMARY KEY COLLATE NOCASE, document TEXT NOT NULL,
        create_index INTEGER NOT NULL, modify_index INTEGER NOT NULL
    ) WITHOUT ROWID;

    CREATE TABLE services (
        node TEXT NOT NULL COLLATE NOCASE, id TEXT NOT NULL COLLATE NOCASE, name TEXT NOT NULL COLLATE NOCASE,
        document TEXT NOT NULL, create_index INTEGER NOT NULL, modify_index INTEGER NOT NULL,
        PRIMARY KEY (node, id)
    ) WITHOUT ROWID;
    CREATE INDEX services_name ON services (name);

    -- `service_id` is empty for a check of the node itself.
    CREATE TABLE checks (
        node TEXT NOT NULL COLLATE NOCASE, id TEXT NOT NULL COLLATE NOCASE, service_id TEXT NOT NULL COLLATE NOCASE,
        service_name TEXT NOT NULL COLLATE NOCASE, status TEXT NOT NULL, document TEXT NOT NULL,
        create_index INTEGER NOT NULL, modify_index INTEGER NOT NULL,
        PRIMARY KEY (node, id)
    ) WITHOUT ROWID;
    CREATE INDEX checks_service ON checks (service_name);
    CREATE INDEX checks_status ON checks (status);

    -- What the catalog has from the agents of this registry's own nodes, and what they run for it.
    CREATE TABLE agent_services (
        node TEXT NOT NULL COLLATE NOCASE, id TEXT NOT NULL COLLATE NOCASE, PRIMARY KEY (node, id)
    ) WITHOUT ROWID;

    CREATE TABLE agent_checks (
        node TEXT NOT NULL COLLATE NOCASE, id TEXT NOT NULL COLLATE NOCASE, definition TEXT NOT NULL,
        PRIMARY KEY (node, id)
    ) WITHOUT ROWID;

    CREATE TABLE config_entries (
        kind TEXT NOT NULL, name TEXT NOT NULL, document TEXT NOT NULL,
        create_index INTEGER NOT NULL, modify_index INTEGER NOT NULL,
        PRIMARY KEY (kind, name)
    ) WITHOUT ROWID;
    """,
)
