"""The judge of a corpus run sees each thing that must not be."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from bench.crowd import Posted, Reply
from bench.judgement import judge
from bench.webhooks import Text
from domain.facts import Outcome, SendSettled
from domain.message_values import Disposition, Envelope, Inbound, Outbound, Purpose, Sender
from domain.messages import Message
from domain.ports import Unit
from tests.fakes.event_store import InMemoryEventStore

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
OURS, CUSTOMER = "+15005550006", "+12025550101"
THREAD, CONVERSATION, MAPPING, PERSON, CONSENT = (UUID(int=number) for number in range(1, 6))
FIRST, SECOND = UUID(int=11), UUID(int=12)


def posted(sid: str, text: str = "Hi", *, begun: float, accepted: float) -> Posted:
    return Posted(Text(sid, CUSTOMER, OURS, text), begun, accepted, 1)


def envelope(text: str) -> Envelope:
    return Envelope(THREAD, CONVERSATION, MAPPING, PERSON, OURS, CUSTOMER, text)


def received(number: int, sid: str, text: str = "Hi") -> Message:
    inbound = Inbound("twilio:AC", sid, (), None, Disposition.JOINED)
    return Message.receive(UUID(int=100 + number), envelope(text), inbound, AT)


def requested(message_id: UUID, text: str = "Yes") -> Message:
    outbound = Outbound(Sender.AGENT, "ana", Purpose.REPLY, CONSENT, AT + timedelta(minutes=15))
    return Message.request(message_id, envelope(text), outbound, AT)


def attempted(message_id: UUID) -> Message:
    message = requested(message_id)
    message.attempt_sending(OURS, AT + timedelta(seconds=10), AT)
    return message


def accepted(message_id: UUID) -> Message:
    message = attempted(message_id)
    message.accept(1, "twilio:AC", f"SM{message_id.hex}", AT, reconciled=False)
    return message


def in_doubt(message_id: UUID) -> Message:
    message = attempted(message_id)
    outcome = SendSettled(THREAD, message_id, 1, Outcome.IN_DOUBT, "", None, None, "", None, reconciled=False)
    message.settle(outcome, AT)
    return message


def sent(*message_ids: UUID) -> list[dict[str, str]]:
    return [
        {"to": CUSTOMER, "body": "Yes", "callback": f"http://x?attempt={each.hex}.1"} for each in message_ids
    ]


def violations(
    *messages: Message,
    posts: Sequence[Posted] = (),
    replies: Sequence[UUID] = (),
    ledger: Sequence[dict[str, str]] = (),
) -> list[str]:
    store = InMemoryEventStore()
    for each in messages:
        store.save(Unit([each]))
    return judge(store, posts, [Reply(str(each), "Yes") for each in replies], ledger).violations


# ── texts ──────────────────────────────────────────────────────────────────────────────────────


def test_all_is_well() -> None:
    posts = [posted("SM1", begun=1, accepted=2), posted("SM2", begun=3, accepted=4)]
    messages = (received(1, "SM1"), received(2, "SM2"), accepted(FIRST))
    assert violations(*messages, posts=posts, replies=[FIRST], ledger=sent(FIRST)) == []


def test_a_lost_text_is_seen() -> None:
    assert violations(posts=[posted("SM1", begun=1, accepted=2)]) == ["text SM1 was accepted and is 0 events"]


def test_a_doubled_text_is_seen() -> None:
    found = violations(received(1, "SM1"), received(2, "SM1"), posts=[posted("SM1", begun=1, accepted=2)])
    assert found == ["text SM1 was accepted and is 2 events"]


def test_an_altered_text_is_seen() -> None:
    found = violations(received(1, "SM1", "Hi "), posts=[posted("SM1", begun=1, accepted=2)])
    assert found == ["text SM1 is not what was posted"]


def test_a_text_made_up_is_seen() -> None:
    assert violations(received(1, "SM1")) == ["text SM1 was never posted"]


def test_a_text_that_overtakes_is_seen() -> None:
    posts = [posted("SM1", begun=1, accepted=2), posted("SM2", begun=3, accepted=4)]
    found = violations(received(2, "SM2"), received(1, "SM1"), posts=posts)
    assert found == ["text SM2 overtook SM1, which was accepted before"]


def test_texts_posted_at_once_have_no_order() -> None:
    posts = [posted("SM1", begun=1, accepted=3), posted("SM2", begun=2, accepted=4)]
    assert violations(received(2, "SM2"), received(1, "SM1"), posts=posts) == []


# ── replies ────────────────────────────────────────────────────────────────────────────────────


def test_a_reply_sent_twice_is_seen() -> None:
    found = violations(accepted(FIRST), replies=[FIRST], ledger=sent(FIRST, FIRST))
    assert found == [f"message {FIRST} was sent 2 times"]


def test_a_lost_reply_is_seen() -> None:
    assert violations(replies=[FIRST]) == [f"reply {FIRST} was confirmed and is no event"]


def test_a_reply_that_nobody_asked_for_is_seen() -> None:
    found = violations(accepted(FIRST), ledger=sent(FIRST))
    assert found == [f"reply {FIRST} was never asked for"]


def test_an_accepted_reply_that_never_went_is_seen() -> None:
    found = violations(accepted(FIRST), replies=[FIRST])
    assert found == [f"message {FIRST} is accepted, and was not sent"]


def test_a_reply_that_went_and_still_waits_is_seen() -> None:
    found = violations(attempted(FIRST), replies=[FIRST], ledger=sent(FIRST))
    assert found == [f"message {FIRST} is still attempting"]


def test_one_in_doubt_may_have_gone_or_not() -> None:
    assert violations(in_doubt(FIRST), replies=[FIRST]) == []
    assert violations(in_doubt(FIRST), replies=[FIRST], ledger=sent(FIRST)) == []


def test_replies_out_of_order_are_seen() -> None:
    found = violations(accepted(FIRST), accepted(SECOND), replies=[FIRST, SECOND], ledger=sent(SECOND, FIRST))
    assert found == [f"message {FIRST} was overtaken by a later one of its thread"]
