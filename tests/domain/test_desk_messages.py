"""Messages in doubt, and what a person decides about them: rule 6."""

from uuid import UUID

import pytest

from domain.errors import Clash, Forbidden, NotFound
from domain.facts import DeadlineKind, Outcome
from domain.message_values import REPLY_TIME, MessageStatus, Resolution
from domain.messages import Message
from tests.domain.given import ADMIN, ANA, BEN, MINUTE, Stage, one, then


@pytest.fixture
def doubtful(stage: Stage) -> UUID:
    """Nobody knows whether a reply of Ana's went."""
    stage.agent("ana")
    stage.text()
    stage.route()
    message_id = stage.reply()
    stage.attempt(message_id)
    stage.settled(message_id, Outcome.IN_DOUBT)
    return message_id


@pytest.mark.parametrize(
    ("resolution", "status"),
    [
        (Resolution.RESEND, MessageStatus.REQUESTED),
        (Resolution.SENT, MessageStatus.SENT),
        (Resolution.DROP, MessageStatus.DROPPED),
    ],
)
def test_who_decided_what_and_why_is_recorded(
    stage: Stage, doubtful: UUID, resolution: Resolution, status: MessageStatus
) -> None:
    stage.clock.advance(60 * MINUTE)
    events = stage.when(lambda: stage.attention.resolve(ANA, doubtful, resolution, "the customer said so"))
    then(events, Message.Resolved)
    resolved = one(events, Message.Resolved)
    assert (resolved.resolution, resolved.by, resolved.why) == (resolution, "ana", "the customer said so")
    assert stage.message(doubtful).status is status
    assert stage.message(doubtful).may_go(stage.now()) is (resolution is Resolution.RESEND)
    with pytest.raises(Clash, match=f"not in doubt: it is {status}"):
        stage.attention.resolve(ANA, doubtful, resolution, "again")


def test_a_resend_has_its_own_time_and_attempt(stage: Stage, doubtful: UUID) -> None:
    stage.clock.advance(60 * MINUTE)
    stage.attention.resolve(ANA, doubtful, Resolution.RESEND, "no trace")
    assert stage.message(doubtful).expires_at == stage.now() + REPLY_TIME
    assert stage.attempt(doubtful) == 2
    stage.settled(doubtful, Outcome.IN_DOUBT, 2)
    assert stage.message(doubtful).status is MessageStatus.IN_DOUBT


def test_a_resend_may_expire_too(stage: Stage, doubtful: UUID) -> None:
    stage.attention.resolve(ANA, doubtful, Resolution.RESEND, "no trace")
    stage.clock.advance(REPLY_TIME)
    then(stage.deadline(DeadlineKind.EXPIRY, doubtful), Message.Expired)


def test_nothing_is_sent_again_to_who_opted_out(stage: Stage, doubtful: UUID) -> None:
    stage.text("STOP")
    with pytest.raises(Clash, match="opted out"):
        stage.attention.resolve(ANA, doubtful, Resolution.RESEND, "no trace")
    stage.attention.resolve(ANA, doubtful, Resolution.DROP, "opted out")


def test_it_is_for_whoever_wrote_it_or_has_the_conversation_or_an_admin(stage: Stage, doubtful: UUID) -> None:
    with pytest.raises(Forbidden):
        stage.attention.resolve(BEN, doubtful, Resolution.DROP, "")
    stage.agent("ben")
    stage.desk.transfer_to_agent(ANA, stage.conversation().id, "ben")
    stage.attention.resolve(BEN, doubtful, Resolution.RESEND, "mine now")
    stage.attempt(doubtful)
    stage.settled(doubtful, Outcome.IN_DOUBT, 2)
    stage.attention.resolve(ANA, doubtful, Resolution.RESEND, "I wrote it")
    stage.attempt(doubtful)
    stage.settled(doubtful, Outcome.IN_DOUBT, 3)
    stage.attention.resolve(ADMIN, doubtful, Resolution.DROP, "enough")


@pytest.mark.parametrize("resolution", list(Resolution))
def test_only_what_is_in_doubt_is_decided(stage: Stage, resolution: Resolution) -> None:
    received = one(stage.text(), Message.Received).originator_id
    with pytest.raises(Clash, match="not in doubt: it is received"):
        stage.attention.resolve(ADMIN, received, resolution, "")
    with pytest.raises(NotFound):
        stage.attention.resolve(ADMIN, UUID(int=1), resolution, "")


def test_a_message_to_who_opted_out_meanwhile_is_blocked(stage: Stage) -> None:
    stage.agent("ana")
    stage.text()
    stage.route()
    message = stage.message(stage.reply())
    assert message.may_go(stage.now())
    message.block(stage.now())
    assert message.status is MessageStatus.BLOCKED
    assert not message.may_go(stage.now())
