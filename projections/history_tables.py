"""The tables of the history."""

from database.sql import Table
from domain.conversations import State

OPEN = (State.WAITING.value, State.ASSIGNED.value, State.CONNECT.value)
"""The states of a conversation that texts may still join."""

IS_OPEN = "state IN ('waiting', 'assigned', 'connect')"
"""The same in SQL, word for word as the index has it."""

CONVERSATIONS = Table(
    "conversations",
    key=("id",),
    columns="""
        id TEXT NOT NULL,
        thread_id TEXT NOT NULL,
        customer_id TEXT NOT NULL,
        customer_address TEXT NOT NULL,
        our_address TEXT NOT NULL,
        mapping_id TEXT NOT NULL,
        mapping_code TEXT NOT NULL,
        mapping_version INTEGER NOT NULL,
        delivery_provider TEXT NOT NULL,
        consent_id TEXT NOT NULL,
        origin TEXT NOT NULL,
        state TEXT NOT NULL,
        queue TEXT,
        agent TEXT,
        idle_minutes INTEGER NOT NULL,
        started_at BIGINT NOT NULL,
        last_activity_at BIGINT NOT NULL,
        queued_at BIGINT,
        assigned_at BIGINT,
        first_response_at BIGINT,
        ended_at BIGINT,
        end_reason TEXT,
        outcome TEXT,
        ended_by TEXT,
        work_code TEXT,
        waited_seconds INTEGER NOT NULL,
        closed INTEGER NOT NULL,
        closed_by TEXT,
        followed_up_in TEXT,
        position BIGINT NOT NULL
    """,
    indexes={
        "conversations_by_start": "(started_at, id)",
        "conversations_by_position": "(position)",
        "conversations_by_address": "(customer_address, started_at)",
        "conversations_by_customer": "(customer_id)",
        "conversations_by_consent": "(consent_id)",
        "conversations_open": f"(mapping_code, our_address) WHERE {IS_OPEN}",
        "conversations_in_hand": "(agent) WHERE state = 'assigned'",
        "conversations_unanswered": "(started_at, id) WHERE outcome IN ('missed', 'refused') AND closed = 0",
    },
)

MESSAGES = Table(
    "messages",
    key=("id",),
    columns="""
        id TEXT NOT NULL,
        conversation_id TEXT,
        thread_id TEXT NOT NULL,
        mapping_id TEXT NOT NULL,
        customer_id TEXT NOT NULL,
        our_address TEXT NOT NULL,
        customer_address TEXT NOT NULL,
        inbound INTEGER NOT NULL,
        text TEXT NOT NULL,
        folded TEXT NOT NULL,
        at BIGINT NOT NULL,
        status TEXT NOT NULL,
        sender TEXT,
        agent TEXT,
        purpose TEXT,
        keyword TEXT,
        disposition TEXT,
        reason TEXT,
        expires_at BIGINT,
        media TEXT NOT NULL,
        media_urls TEXT,
        media_missing INTEGER NOT NULL,
        attempt INTEGER NOT NULL,
        provider_message_id TEXT,
        error_code TEXT,
        error_detail TEXT NOT NULL,
        resolution TEXT,
        resolved_by TEXT,
        resolved_why TEXT,
        sequence BIGINT NOT NULL,
        position BIGINT NOT NULL
    """,
    indexes={
        "messages_by_conversation": "(conversation_id, sequence)",
        "messages_by_position": "(position)",
        "messages_by_customer": "(customer_id)",
        "messages_unrouted": "(at, id) WHERE status = 'unrouted'",
        "messages_in_doubt": "(at, id) WHERE status = 'in_doubt'",
        "messages_without_media": "(sequence) WHERE media_missing > 0",
    },
)

ATTEMPTS = Table(
    "attempts",
    key=("message_id", "attempt"),
    columns="""
        message_id TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        lane TEXT NOT NULL,
        attempted_at BIGINT NOT NULL,
        send_by BIGINT NOT NULL,
        outcome TEXT,
        settled_at BIGINT,
        provider_message_id TEXT,
        error_code TEXT,
        detail TEXT NOT NULL,
        retry_at BIGINT,
        reconciled INTEGER NOT NULL
    """,
    indexes={},
)

RECEIPTS = Table(
    "receipts",
    key=("message_id", "version"),
    columns="""
        message_id TEXT NOT NULL,
        version INTEGER NOT NULL,
        attempt INTEGER NOT NULL,
        received_at BIGINT NOT NULL,
        status TEXT NOT NULL,
        provider_status TEXT NOT NULL,
        error_code TEXT
    """,
    indexes={},
)

CONSENTS = Table(
    "consents",
    key=("id",),
    columns="""
        id TEXT NOT NULL,
        customer_id TEXT NOT NULL,
        scope TEXT NOT NULL,
        opted_out INTEGER NOT NULL,
        source TEXT NOT NULL,
        changed_at BIGINT NOT NULL
    """,
    indexes={"consents_by_customer": "(customer_id, scope)"},
)
