"""History: every conversation and message, for the desk, the search and the API's documents."""

from database.sql import Row, folded, hexed, micros, packed, unpacked
from domain.consent import Consent
from domain.conversations import Conversation, State
from domain.customers import Customer
from domain.message_values import Disposition, MessageStatus, Resolution
from domain.messages import Message
from domain.values import ERASED
from projections.history_tables import ATTEMPTS, CONSENTS, CONVERSATIONS, MESSAGES, RECEIPTS
from projections.message_status import MessageEvent, status_after
from projections.projection import Projection
from projections.rows import Rows

_CONSENT_CHANGED = (
    "UPDATE conversations SET position = :position WHERE ended_at IS NULL"
    " AND (consent_id = :consent OR (customer_id = :customer AND our_address = :scope))"
)

# What people and providers wrote about a message may quote it.
_PURGE_CONVERSATIONS = (
    "UPDATE conversations SET customer_address = :erased, position = :position WHERE customer_id = :customer"
)
_PURGE_ATTEMPTS = (
    "UPDATE attempts SET detail = :erased WHERE detail <> ''"
    " AND message_id IN (SELECT id FROM messages WHERE customer_id = :customer)"
)
_PURGE_MESSAGES = (
    "UPDATE messages SET customer_address = :erased, text = :erased, folded = :folded,"
    " media_urls = NULL, media_missing = 0,"
    " error_detail = CASE WHEN error_detail = '' THEN '' ELSE :erased END,"
    " resolved_why = CASE WHEN resolved_why IS NULL THEN NULL ELSE :erased END,"
    " position = :position WHERE customer_id = :customer"
)


class History(Projection):
    """Rows carry the position of their last change, so that a stream can ask for what is newer."""

    name = "history"
    version = 1
    tables = (CONVERSATIONS, MESSAGES, ATTEMPTS, RECEIPTS, CONSENTS)
    by_stream = (CONVERSATIONS, MESSAGES, ATTEMPTS)
    purged = (CONVERSATIONS, MESSAGES, ATTEMPTS)

    # ── conversations ──────────────────────────────────────────────────────────────────────────

    def _began(self, rows: Rows, event: Conversation.Created, position: int) -> None:
        terms, at = event.terms, micros(event.timestamp)
        rows.put(
            CONVERSATIONS,
            id=hexed(event.originator_id),
            thread_id=hexed(event.thread_id),
            customer_id=hexed(event.customer_id),
            customer_address=event.customer_address,
            our_address=event.our_address,
            mapping_id=hexed(terms.mapping_id),
            mapping_code=terms.mapping_code,
            mapping_version=terms.mapping_version,
            delivery_provider=terms.delivery_provider.value,
            consent_id=hexed(terms.consent_id),
            origin=event.origin.value,
            state=State.CONNECT.value,
            queue=terms.queue,
            idle_minutes=terms.chat_control.idle_timeout_minutes,
            started_at=at,
            last_activity_at=at,
            waited_seconds=0,
            closed=0,
            position=position,
        )

    def _customer_wrote(self, rows: Rows, event: Conversation.CustomerWrote, position: int) -> None:
        self._active(rows, event, position)

    def _agent_wrote(self, rows: Rows, event: Conversation.AgentWrote, position: int) -> None:
        row = self._active(rows, event, position)
        if row and row["first_response_at"] is None:
            row["first_response_at"] = micros(event.timestamp)

    def _active(
        self, rows: Rows, event: Conversation.CustomerWrote | Conversation.AgentWrote, position: int
    ) -> Row | None:
        row = rows.change(CONVERSATIONS, hexed(event.originator_id), position=position)
        if row:
            row["last_activity_at"] = max(row["last_activity_at"], micros(event.timestamp))
        return row

    def _queued(self, rows: Rows, event: Conversation.Queued, position: int) -> None:
        rows.change(
            CONVERSATIONS,
            hexed(event.originator_id),
            state=State.WAITING.value,
            queue=event.queue,
            agent=None,
            queued_at=micros(event.timestamp),
            position=position,
        )

    def _assigned(self, rows: Rows, event: Conversation.Assigned, position: int) -> None:
        row = rows.change(
            CONVERSATIONS,
            hexed(event.originator_id),
            state=State.ASSIGNED.value,
            agent=event.agent,
            assigned_at=micros(event.timestamp),
            position=position,
        )
        if row:
            row["waited_seconds"] += event.waited_seconds

    def _refused(self, rows: Rows, event: Conversation.Refused, position: int) -> None:
        rows.change(
            CONVERSATIONS,
            hexed(event.originator_id),
            state=State.REFUSED.value,
            outcome="refused",
            ended_at=micros(event.timestamp),
            position=position,
        )

    def _ended(self, rows: Rows, event: Conversation.Ended, position: int) -> None:
        rows.change(
            CONVERSATIONS,
            hexed(event.originator_id),
            state=State.ENDED.value,
            outcome=event.outcome.value,
            end_reason=event.reason.value,
            ended_at=micros(event.timestamp),
            ended_by=event.by,
            work_code=event.work_code,
            position=position,
        )

    def _dismissed(self, rows: Rows, event: Conversation.Dismissed, position: int) -> None:
        rows.change(
            CONVERSATIONS, hexed(event.originator_id), closed=1, closed_by=event.by, position=position
        )

    def _followed_up(self, rows: Rows, event: Conversation.FollowedUp, position: int) -> None:
        rows.change(
            CONVERSATIONS,
            hexed(event.originator_id),
            closed=1,
            closed_by=event.by,
            followed_up_in=hexed(event.conversation_id),
            position=position,
        )

    # ── messages ───────────────────────────────────────────────────────────────────────────────

    def _received(self, rows: Rows, event: Message.Received, position: int) -> None:
        unrouted = event.disposition is Disposition.UNROUTED
        known = event.media_urls != ERASED
        rows.put(
            MESSAGES,
            **_envelope(event, position),
            inbound=1,
            status=(MessageStatus.UNROUTED if unrouted else MessageStatus.RECEIVED).value,
            keyword=event.keyword,
            disposition=event.disposition.value,
            reason=event.reason,
            media=packed([{"content_type": each} for each in event.media]),
            media_urls=event.media_urls if known else None,
            media_missing=len(event.media) if known else 0,
            provider_message_id=event.provider_message_id,
        )

    def _requested(self, rows: Rows, event: Message.Requested, position: int) -> None:
        rows.put(
            MESSAGES,
            **_envelope(event, position),
            inbound=0,
            status=(MessageStatus.SUPPRESSED if event.suppressed else MessageStatus.REQUESTED).value,
            sender=event.sender.value,
            agent=event.agent,
            purpose=event.purpose.value,
            expires_at=micros(event.expires_at),
            media=packed([{"media_id": each.hex} for each in event.media_ids]),
            media_missing=0,
        )

    def _routed(self, rows: Rows, event: Message.Routed, position: int) -> None:
        self._step(rows, event, position)
        rows.change(
            MESSAGES,
            hexed(event.originator_id),
            conversation_id=hexed(event.conversation_id),
            disposition=event.disposition.value,
            reason="",
        )

    def _media_stored(self, rows: Rows, event: Message.MediaStored, position: int) -> None:
        row = rows.change(MESSAGES, hexed(event.originator_id), position=position)
        if row:
            media = unpacked(row["media"])
            media[event.index] |= {
                "media_id": hexed(event.media_id),
                "content_type": event.content_type,
                "size": event.size,
                "problem": event.problem,
            }
            row["media"] = packed(media)
            wanted = row["media_urls"] is not None
            row["media_missing"] = sum("size" not in each for each in media) if wanted else 0

    def _attempted(self, rows: Rows, event: Message.Attempted, position: int) -> None:
        row = self._step(rows, event, position)
        row["attempt"] = event.attempt
        rows.put(
            ATTEMPTS,
            message_id=hexed(event.originator_id),
            attempt=event.attempt,
            lane=event.lane,
            attempted_at=micros(event.timestamp),
            send_by=micros(event.send_by),
            detail="",
            reconciled=0,
        )

    def _accepted(self, rows: Rows, event: Message.Accepted, position: int) -> None:
        row = self._step(rows, event, position)
        row.update(provider_message_id=event.provider_message_id, error_code=None, error_detail="")
        rows.change(
            ATTEMPTS,
            hexed(event.originator_id),
            event.attempt,
            outcome="accepted",
            settled_at=micros(event.timestamp),
            provider_message_id=event.provider_message_id,
            reconciled=int(event.reconciled),
        )

    def _settled(self, rows: Rows, event: Message.Settled, position: int) -> None:
        row = self._step(rows, event, position)
        row.update(error_code=event.error_code, error_detail=event.detail)
        rows.change(
            ATTEMPTS,
            hexed(event.originator_id),
            event.attempt,
            outcome=event.outcome.value,
            settled_at=micros(event.timestamp),
            error_code=event.error_code,
            detail=event.detail,
            retry_at=micros(event.retry_at),
        )

    def _receipted(self, rows: Rows, event: Message.Receipted, position: int) -> None:
        row = self._step(rows, event, position)
        if row["status"] == event.status.value:
            row["error_code"] = event.error_code
        rows.put(
            RECEIPTS,
            message_id=hexed(event.originator_id),
            version=event.originator_version,
            attempt=event.attempt,
            received_at=micros(event.timestamp),
            status=event.status.value,
            provider_status=event.provider_status,
            error_code=event.error_code,
        )

    def _resolved(self, rows: Rows, event: Message.Resolved, position: int) -> None:
        row = self._step(rows, event, position)
        row.update(resolution=event.resolution.value, resolved_by=event.by, resolved_why=event.why)
        if event.resolution is Resolution.RESEND:
            row["expires_at"] = micros(event.expires_at)

    def _blocked(self, rows: Rows, event: Message.Blocked, position: int) -> None:
        self._step(rows, event, position)

    def _expired(self, rows: Rows, event: Message.Expired, position: int) -> None:
        self._step(rows, event, position)

    def _step(self, rows: Rows, event: MessageEvent, position: int) -> Row:
        message_id = hexed(event.originator_id)
        row = rows.change(MESSAGES, message_id, position=position)
        if row is None:
            raise LookupError(
                f"there is no message {message_id} before position {position}: rebuild this view"
            )
        row["status"] = status_after(row["status"], event).value
        return row

    # ── customers ──────────────────────────────────────────────────────────────────────────────

    def _first_opted_out(self, rows: Rows, event: Consent.Created, position: int) -> None:
        consent_id, customer_id = hexed(event.originator_id), hexed(event.customer_id)
        rows.put(CONSENTS, id=consent_id, customer_id=customer_id, scope=event.scope)
        self._consent(rows, event, position, opted_out=True)

    def _opted_out(self, rows: Rows, event: Consent.OptedOut, position: int) -> None:
        self._consent(rows, event, position, opted_out=True)

    def _opted_in(self, rows: Rows, event: Consent.OptedIn, position: int) -> None:
        self._consent(rows, event, position, opted_out=False)

    def _consent(
        self,
        rows: Rows,
        event: Consent.Created | Consent.OptedOut | Consent.OptedIn,
        position: int,
        *,
        opted_out: bool,
    ) -> None:
        consent_id, at = hexed(event.originator_id), micros(event.timestamp)
        values = {"opted_out": int(opted_out), "source": event.source, "changed_at": at}
        row = rows.change(CONSENTS, consent_id, **values)
        # Agents see it at once: it counts as a change of the conversations that they have before them.
        rows.run(
            _CONSENT_CHANGED,
            {
                "position": position,
                "consent": consent_id,
                "customer": hexed(event.customer_id),
                "scope": row["scope"] if row else "",
            },
        )

    def _forgotten(self, rows: Rows, event: Customer.Created | Customer.Forgotten, position: int) -> None:
        values = {
            "erased": ERASED,
            "folded": folded(ERASED),
            "customer": hexed(event.customer_id),
            "position": position,
        }
        for statement in (_PURGE_CONVERSATIONS, _PURGE_ATTEMPTS, _PURGE_MESSAGES):
            rows.run(statement, values)

    handlers = {  # noqa: RUF012 - never changed; the base class declares it
        Conversation.Created: _began,
        Conversation.CustomerWrote: _customer_wrote,
        Conversation.AgentWrote: _agent_wrote,
        Conversation.Queued: _queued,
        Conversation.Assigned: _assigned,
        Conversation.Refused: _refused,
        Conversation.Ended: _ended,
        Conversation.Dismissed: _dismissed,
        Conversation.FollowedUp: _followed_up,
        Message.Received: _received,
        Message.Requested: _requested,
        Message.Routed: _routed,
        Message.MediaStored: _media_stored,
        Message.Attempted: _attempted,
        Message.Accepted: _accepted,
        Message.Settled: _settled,
        Message.Receipted: _receipted,
        Message.Resolved: _resolved,
        Message.Blocked: _blocked,
        Message.Expired: _expired,
        Consent.Created: _first_opted_out,
        Consent.OptedOut: _opted_out,
        Consent.OptedIn: _opted_in,
        Customer.Created: _forgotten,
        Customer.Forgotten: _forgotten,
    }


def _envelope(event: Message.Received | Message.Requested, position: int) -> Row:
    return {
        "id": hexed(event.originator_id),
        "conversation_id": hexed(event.conversation_id),
        "thread_id": hexed(event.thread_id),
        "mapping_id": hexed(event.mapping_id),
        "customer_id": hexed(event.customer_id),
        "our_address": event.our_address,
        "customer_address": event.customer_address,
        "text": event.text,
        "folded": folded(event.text),
        "at": micros(event.timestamp),
        "attempt": 0,
        "error_detail": "",
        "sequence": position,
        "position": position,
    }
