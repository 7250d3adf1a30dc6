"""Outcomes of sends and providers' receipts: rules 5 and 6."""

from itertools import permutations
from uuid import UUID

import pytest

from domain.consent import Consent
from domain.errors import NotFound
from domain.facts import DeadlineKind, MediaFetched, MediaLink, Outcome, ReceiptStatus
from domain.mapping_settings import KeywordAnswers
from domain.message_values import REPLY_TIME, MessageStatus, Resolution
from domain.messages import Message
from tests.domain.given import ANA, MINUTE, OURS, SCOPE, SECOND, Stage, one, then


@pytest.fixture
def sent(stage: Stage) -> UUID:
    """A reply of an agent's, its first attempt under way."""
    stage.agent("ana")
    stage.text()
    stage.route()
    message_id = stage.reply()
    stage.attempt(message_id)
    return message_id


# ── outcomes ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Outcome.REJECTED, MessageStatus.REJECTED),
        (Outcome.POSTPONED, MessageStatus.POSTPONED),
        (Outcome.IN_DOUBT, MessageStatus.IN_DOUBT),
    ],
)
def test_what_became_of_an_attempt(stage: Stage, sent: UUID, outcome: Outcome, status: MessageStatus) -> None:
    then(stage.settled(sent, outcome), Message.Settled)
    assert stage.message(sent).status is status
    then(stage.settled(sent, outcome))


def test_an_accepted_attempt_is_known_by_the_providers_id(stage: Stage, sent: UUID) -> None:
    events = stage.settled(sent, Outcome.ACCEPTED)
    then(events, Message.Accepted)
    accepted = one(events, Message.Accepted)
    assert (accepted.attempt, accepted.provider_message_id, accepted.reconciled) == (1, "OUT1", False)
    assert stage.message(sent).status is MessageStatus.ACCEPTED
    reference = stage.intake.reference(SCOPE, "OUT1")
    assert stage.store.messages_by_reference([reference]) == {reference: sent}
    then(stage.settled(sent, Outcome.ACCEPTED))


def test_a_provider_may_give_no_id(stage: Stage, sent: UUID) -> None:
    then(stage.settled(sent, Outcome.ACCEPTED, provider_message_id=None), Message.Accepted)
    assert stage.message(sent).status is MessageStatus.ACCEPTED


@pytest.mark.parametrize("doubt", [Outcome.IN_DOUBT, Outcome.POSTPONED, Outcome.REJECTED])
def test_the_first_word_on_an_attempt_stands_unless_it_was_accepted(
    stage: Stage, sent: UUID, doubt: Outcome
) -> None:
    stage.settled(sent, doubt)
    then(stage.settled(sent, Outcome.REJECTED))
    then(stage.settled(sent, Outcome.ACCEPTED, reconciled=True), Message.Accepted)
    assert stage.message(sent).status is MessageStatus.ACCEPTED
    then(stage.settled(sent, doubt))
    assert stage.message(sent).status is MessageStatus.ACCEPTED


def test_an_outcome_of_nothing_of_ours_is_an_error(stage: Stage) -> None:
    with pytest.raises(NotFound):
        stage.settled(UUID(int=1), Outcome.REJECTED)


def test_an_outcome_of_an_attempt_that_never_was_changes_nothing(stage: Stage, sent: UUID) -> None:
    for attempt in (0, 2):
        then(stage.settled(sent, Outcome.ACCEPTED, attempt))
        then(stage.settled(sent, Outcome.IN_DOUBT, attempt))


def test_a_postponed_message_may_be_tried_again(stage: Stage, sent: UUID) -> None:
    stage.settled(sent, Outcome.POSTPONED)
    assert stage.message(sent).may_go(stage.now())
    assert stage.attempt(sent) == 2
    then(stage.settled(sent, Outcome.ACCEPTED, 2), Message.Accepted)


# ── the provider's own opt-out list ────────────────────────────────────────────────────────────────


def test_a_customer_on_the_providers_list_has_opted_out(stage: Stage, sent: UUID) -> None:
    events = stage.settled(sent, Outcome.OPTED_OUT)
    then(events, Message.Settled, Consent.Created)
    created = one(events, Consent.Created)
    assert (created.scope, created.source) == (OURS, "the provider's opt-out list")
    assert stage.message(sent).status is MessageStatus.REJECTED
    assert stage.opted_out()


def test_the_providers_list_is_the_pools_and_the_numbers(stage: Stage) -> None:
    stage.change(options={"pool": "MG1"})
    stage.agent("ana")
    stage.text()
    stage.route()
    sent = stage.reply()
    stage.attempt(sent)
    events = stage.settled(sent, Outcome.OPTED_OUT)
    assert {each.scope for each in events if isinstance(each, Consent.Created)} == {"MG1", OURS}


def test_the_refusal_of_an_answer_without_a_conversation_counts_as_well(stage: Stage) -> None:
    stage.change(options={"pool": "MG1"})
    stage.control(keyword_answers=KeywordAnswers.PARLEY)
    answer = one(stage.text("HELP"), Message.Requested).originator_id
    stage.attempt(answer)
    stage.settled(answer, Outcome.OPTED_OUT)
    assert (stage.opted_out(scope="MG1"), stage.opted_out(scope=OURS)) == (True, True)


def test_hearing_of_it_twice_does_not_undo_an_opt_in(stage: Stage, sent: UUID) -> None:
    stage.settled(sent, Outcome.OPTED_OUT)
    stage.text("START")
    then(stage.settled(sent, Outcome.OPTED_OUT))
    assert not stage.opted_out()


# ── receipts ───────────────────────────────────────────────────────────────────────────────────────


def test_a_receipt_advances_the_status(stage: Stage, sent: UUID) -> None:
    stage.settled(sent, Outcome.ACCEPTED)
    for status in (ReceiptStatus.QUEUED, ReceiptStatus.SENT, ReceiptStatus.DELIVERED, ReceiptStatus.READ):
        then(stage.receipt(status), Message.Receipted)
        assert stage.message(sent).status == status.value


def test_late_receipts_are_kept_and_do_not_turn_back(stage: Stage, sent: UUID) -> None:
    stage.settled(sent, Outcome.ACCEPTED)
    stage.receipt(ReceiptStatus.DELIVERED)
    then(stage.receipt(ReceiptStatus.SENT), Message.Receipted)
    assert stage.message(sent).status is MessageStatus.DELIVERED


def test_the_same_receipt_twice_is_one(stage: Stage, sent: UUID) -> None:
    stage.settled(sent, Outcome.ACCEPTED)
    stage.receipt(ReceiptStatus.SENT)
    then(stage.receipt(ReceiptStatus.SENT))
    then(stage.receipt(ReceiptStatus.SENT, error_code="30008"), Message.Receipted)


@pytest.mark.parametrize("first", [ReceiptStatus.FAILED, ReceiptStatus.UNDELIVERED, ReceiptStatus.DELIVERED])
def test_contradictions_are_kept_and_the_first_stands(stage: Stage, sent: UUID, first: ReceiptStatus) -> None:
    stage.settled(sent, Outcome.ACCEPTED)
    stage.receipt(first)
    for other in {ReceiptStatus.FAILED, ReceiptStatus.UNDELIVERED, ReceiptStatus.DELIVERED} - {first}:
        then(stage.receipt(other), Message.Receipted)
    assert stage.message(sent).status == first.value


def test_a_receipt_that_matches_nothing_yet_waits(stage: Stage, sent: UUID) -> None:
    then(stage.receipt(ReceiptStatus.SENT))
    assert len(stage.unmatched) == 1
    then(stage.settled(sent, Outcome.ACCEPTED), Message.Accepted, Message.Receipted)
    assert stage.message(sent).status is MessageStatus.SENT
    assert stage.unmatched == []


def test_a_receipt_before_the_outcome_says_that_it_was_accepted(stage: Stage, sent: UUID) -> None:
    events = stage.receipt(ReceiptStatus.DELIVERED, message_id=sent, attempt=1)
    then(events, Message.Accepted, Message.Receipted)
    assert one(events, Message.Accepted).reconciled
    then(stage.settled(sent, Outcome.IN_DOUBT))
    then(stage.settled(sent, Outcome.ACCEPTED))
    assert stage.message(sent).status is MessageStatus.DELIVERED


def test_a_receipt_ends_a_doubt(stage: Stage, sent: UUID) -> None:
    stage.settled(sent, Outcome.IN_DOUBT)
    then(stage.receipt(ReceiptStatus.FAILED, message_id=sent, attempt=1), Message.Accepted, Message.Receipted)
    assert stage.message(sent).status is MessageStatus.FAILED


def test_a_receipt_for_a_message_without_an_attempt_waits(stage: Stage) -> None:
    received = one(stage.text(), Message.Received)
    for message_id in (received.originator_id, UUID(int=1)):
        then(stage.receipt(ReceiptStatus.SENT, message_id=message_id))
    assert len(stage.unmatched) == 2


def test_a_receipt_is_the_attempts_whose_id_it_names(stage: Stage, sent: UUID) -> None:
    stage.settled(sent, Outcome.IN_DOUBT)
    stage.attention.resolve(ANA, sent, Resolution.RESEND, "no trace of it")
    stage.attempt(sent)
    stage.settled(sent, Outcome.ACCEPTED, 1, reconciled=True)
    events = stage.receipt(ReceiptStatus.DELIVERED)
    then(events, Message.Receipted)
    assert one(events, Message.Receipted).attempt == 1


@pytest.mark.parametrize("late", [Outcome.IN_DOUBT, Outcome.POSTPONED, Outcome.REJECTED])
def test_an_earlier_attempt_that_was_accepted_after_all_stands(
    stage: Stage, sent: UUID, late: Outcome
) -> None:
    stage.settled(sent, Outcome.IN_DOUBT)
    stage.attention.resolve(ANA, sent, Resolution.RESEND, "no trace of it")
    stage.attempt(sent)
    stage.settled(sent, Outcome.ACCEPTED, 1, reconciled=True)
    then(stage.settled(sent, late, 2), Message.Settled)
    assert stage.message(sent).status is MessageStatus.ACCEPTED
    assert not stage.message(sent).may_go(stage.now())


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_whatever_the_order_delivered_is_where_it_ends(
    stage: Stage, sent: UUID, order: tuple[int, ...]
) -> None:
    steps = (
        lambda: stage.settled(sent, Outcome.ACCEPTED),
        lambda: stage.receipt(ReceiptStatus.QUEUED, message_id=sent, attempt=1),
        lambda: stage.receipt(ReceiptStatus.SENT),
        lambda: stage.receipt(ReceiptStatus.DELIVERED, message_id=sent),
    )
    for index in order:
        steps[index]()
        steps[index]()
    assert stage.message(sent).status is MessageStatus.DELIVERED
    assert len(stage.message(sent).receipts) == 3
    assert stage.unmatched == []


# ── expiry and media ───────────────────────────────────────────────────────────────────────────────


def test_a_reply_that_could_not_go_in_its_time_expires_once(stage: Stage) -> None:
    stage.agent("ana")
    stage.text()
    stage.route()
    message_id = stage.reply()
    stage.clock.advance(REPLY_TIME - SECOND)
    then(stage.deadline(DeadlineKind.EXPIRY, message_id))
    stage.clock.advance(SECOND)
    then(stage.deadline(DeadlineKind.EXPIRY, message_id), Message.Expired)
    then(stage.deadline(DeadlineKind.EXPIRY, message_id))
    assert stage.message(message_id).status is MessageStatus.EXPIRED
    assert not stage.message(message_id).may_go(stage.now())


def test_what_was_handed_over_does_not_expire(stage: Stage, sent: UUID) -> None:
    stage.clock.advance(REPLY_TIME + MINUTE)
    then(stage.deadline(DeadlineKind.EXPIRY, sent))
    stage.settled(sent, Outcome.IN_DOUBT)
    then(stage.deadline(DeadlineKind.EXPIRY, sent))
    then(stage.deadline(DeadlineKind.EXPIRY, UUID(int=1)))


def test_a_picture_is_stored_once(stage: Stage) -> None:
    link = MediaLink("https://example.com/1", "image/png")
    received = one(stage.text(media=(link, link)), Message.Received)
    assert received.links() == (link, link)
    first, second = (
        MediaFetched(received.thread_id, received.originator_id, index, UUID(int=9), "image/png", 5, "")
        for index in (0, 1)
    )
    then(stage.ingest(first), Message.MediaStored)
    then(stage.ingest(first))
    then(stage.ingest(second), Message.MediaStored)
