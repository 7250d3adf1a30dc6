"""What `store.db` holds besides the library's `stored_events` and `tracking`.

Ids are hexadecimal text, as in the library's tables; moments are microseconds since 1970, UTC.
"""

VERSION = 1
"""Of all tables together, kept in `PRAGMA user_version`."""

STATEMENTS = [
    # A position is a row's number, which SQLite would give again once the newest row is deleted.
    """
    CREATE TRIGGER event_is_kept BEFORE DELETE ON stored_events
    BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END
    """,
    """
    CREATE TRIGGER event_is_fixed BEFORE UPDATE ON stored_events
    BEGIN SELECT RAISE(ABORT, 'events are never altered'); END
    """,
    # Keys and secrets, sealed under the master key; and what is known of those that were erased.
    """
    CREATE TABLE vault (
        id TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        sealed BLOB NOT NULL,
        UNIQUE (kind, name)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE tombstone (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        erased_at INTEGER NOT NULL
    )
    """,
    """
    CREATE TABLE lease (
        name TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        epoch INTEGER NOT NULL,
        until INTEGER NOT NULL
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE parked (
        partition INTEGER NOT NULL,
        offset INTEGER NOT NULL,
        reason BLOB NOT NULL,
        PRIMARY KEY (partition, offset)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE waiting_receipt (
        reference TEXT NOT NULL,
        partition INTEGER NOT NULL,
        offset INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        PRIMARY KEY (reference, partition, offset)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX waiting_receipt_by_expiry ON waiting_receipt (expires_at)",
    "CREATE TABLE message_reference (reference TEXT PRIMARY KEY, message_id TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE media (media_id TEXT PRIMARY KEY, content_type TEXT NOT NULL, sealed BLOB NOT NULL)",
    # What people decided about parked facts; the reason may quote a customer and is sealed.
    """
    CREATE TABLE parked_decision (
        partition INTEGER NOT NULL,
        offset INTEGER NOT NULL,
        decision TEXT NOT NULL,
        login TEXT NOT NULL,
        why BLOB NOT NULL,
        decided_at INTEGER NOT NULL
    )
    """,
    # Who signs in, and machines' keys. Roles are separated by spaces.
    """
    CREATE TABLE user_account (
        login TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        password_hash TEXT NOT NULL,
        roles TEXT NOT NULL,
        disabled INTEGER NOT NULL
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE api_key (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        hash BLOB NOT NULL UNIQUE,
        roles TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        created_by TEXT NOT NULL,
        expires_at INTEGER,
        last_used_at INTEGER
    ) WITHOUT ROWID
    """,
]
