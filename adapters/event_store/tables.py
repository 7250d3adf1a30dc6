"""What the store holds besides the library's `stored_events` and `tracking`.

Ids are hexadecimal text; moments are microseconds since 1970, UTC.
"""

VERSION = 2
"""Of all tables together."""

STATEMENTS = [
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
        position SERIAL PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        erased_at BIGINT NOT NULL
    )
    """,
    """
    CREATE TABLE lease (
        name TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        epoch BIGINT NOT NULL,
        until BIGINT NOT NULL
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE parked (
        partition INTEGER NOT NULL,
        "offset" BIGINT NOT NULL,
        reason BLOB NOT NULL,
        PRIMARY KEY (partition, "offset")
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE waiting_receipt (
        reference TEXT NOT NULL,
        partition INTEGER NOT NULL,
        "offset" BIGINT NOT NULL,
        expires_at BIGINT NOT NULL,
        PRIMARY KEY (reference, partition, "offset")
    ) WITHOUT ROWID
    """,
    "CREATE INDEX waiting_receipt_by_expiry ON waiting_receipt (expires_at)",
    "CREATE TABLE message_reference (reference TEXT PRIMARY KEY, message_id TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE media (media_id TEXT PRIMARY KEY, content_type TEXT NOT NULL, sealed BLOB NOT NULL)",
    # What people decided about parked facts; the reason may quote a customer and is sealed.
    """
    CREATE TABLE parked_decision (
        partition INTEGER NOT NULL,
        "offset" BIGINT NOT NULL,
        decision TEXT NOT NULL,
        login TEXT NOT NULL,
        why BLOB NOT NULL,
        decided_at BIGINT NOT NULL
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
        created_at BIGINT NOT NULL,
        created_by TEXT NOT NULL,
        expires_at BIGINT,
        last_used_at BIGINT
    ) WITHOUT ROWID
    """,
]

SINCE_VERSION_2 = [
    # Texts that came without an id, for as long as they may come again: hours. They are not backed up: after
    # a restore such a text, should it come again just then, is kept twice.
    """
    CREATE TABLE arrival (
        content TEXT NOT NULL,
        message_id TEXT NOT NULL,
        accepted_at BIGINT NOT NULL,
        PRIMARY KEY (content, message_id)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX arrival_by_age ON arrival (accepted_at)",
]

EVENTS_ARE_KEPT_IN_SQLITE = [
    # A position is a row's number, which SQLite would give again once the newest row is deleted.
    """
    CREATE TRIGGER event_is_kept BEFORE DELETE ON stored_events
    BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END
    """,
    """
    CREATE TRIGGER event_is_fixed BEFORE UPDATE ON stored_events
    BEGIN SELECT RAISE(ABORT, 'events are never altered'); END
    """,
]

IN_POSTGRES = [
    # What was saved together: the position of its last event, a token by which whoever saved it knows it
    # again, and how far it brought a partition of the ingress log. The relay tells Kafka of it.
    """
    CREATE TABLE unit (
        position BIGINT PRIMARY KEY,
        token UUID NOT NULL UNIQUE,
        partition INTEGER,
        "offset" BIGINT
    )
    """,
    # After which position each epoch began. A restored store begins a new one.
    'CREATE TABLE epoch (number BIGINT PRIMARY KEY, "after" BIGINT NOT NULL)',
    "INSERT INTO epoch VALUES (1, 0)",
    # How far the relay has come, in all and in each partition of the events topic; and whether a restore
    # is under way (`restore.py` in the workers says what its stages are).
    "CREATE TABLE relay (position BIGINT NOT NULL, restoring INTEGER NOT NULL)",
    "INSERT INTO relay VALUES (0, 0)",
    "CREATE TABLE relay_tail (partition INTEGER PRIMARY KEY, position BIGINT NOT NULL)",
]
