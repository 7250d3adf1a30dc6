"""What an SMSC delivers is handed over together, and acknowledged only when it is kept."""

import asyncio
from collections.abc import Iterator, Sequence

import pytest

from adapters.smpp.pdu import Command, Pdu, Status
from adapters.smpp.session import BACKLOG, BATCH
from tests.adapters.smpp.sessions import (
    CUSTOMER,
    OURS,
    Inbox,
    bound,
    on_loop,
    reads,
    submit,
    suspicious,
    until,
)
from tests.fakes.smsc import Smsc
from tests.fakes.smsc_faults import LosesAcknowledgements, SilentToUnbinds


@pytest.fixture
def smsc() -> Iterator[Smsc]:
    with Smsc() as running:
        yield running


@on_loop
async def test_a_text_is_acknowledged_only_when_it_is_kept(smsc: Smsc) -> None:
    inbox = Inbox()
    inbox.gate.clear()
    async with bound(smsc, inbox) as session:
        delivery = smsc.send_text(CUSTOMER, OURS, "Hello")
        await until(lambda: bool(inbox.batches), smsc)
        await session.request(submit())  # requests go on meanwhile, and their answers
        assert delivery.answers == []
        inbox.gate.set()
        await until(lambda: delivery.answers == [Status.OK], smsc)
    assert inbox.pdus[0].fields["short_message"] == b"Hello"


@on_loop
async def test_what_comes_meanwhile_is_handed_over_together(smsc: Smsc) -> None:
    inbox = Inbox()
    inbox.gate.clear()
    async with bound(smsc, inbox) as session:
        deliveries = [smsc.send_text(CUSTOMER, OURS, "first")]
        await until(lambda: bool(inbox.batches), smsc)
        deliveries += [smsc.send_text(CUSTOMER, OURS, f"text {number}") for number in range(2 * BATCH + 50)]
        await until(lambda: len(session._arrived) == len(deliveries), smsc)
        inbox.gate.set()
        await until(lambda: all(each.acknowledged for each in deliveries), smsc)
    assert [len(each) for each in inbox.batches] == [1, BATCH, BATCH, 50]
    assert [each.fields["short_message"] for each in inbox.pdus] == [
        each.pdu.fields["short_message"] for each in deliveries
    ]


@on_loop
async def test_each_gets_its_own_status(smsc: Smsc) -> None:
    async def deliver(pdus: Sequence[Pdu]) -> Sequence[int]:
        return [Status.QUEUE_FULL if each.fields["short_message"] == b"bad" else 0 for each in pdus]

    async with bound(smsc, deliver):
        good, bad, other = (smsc.send_text(CUSTOMER, OURS, text) for text in ("good", "bad", "other"))
        await until(lambda: other.acknowledged, smsc)
    assert (good.answers, bad.answers) == ([Status.OK], [Status.QUEUE_FULL])


@on_loop
async def test_a_data_sm_is_a_delivery_too(smsc: Smsc) -> None:
    inbox = Inbox()
    fields: dict[str, str | int | bytes] = {"source_addr": CUSTOMER, "destination_addr": OURS}
    async with bound(smsc, inbox):
        (delivery,) = smsc.deliver(Pdu(Command.DATA_SM, 0, fields=fields, tlvs={0x424: b"Hello"}))
        await until(lambda: delivery.acknowledged, smsc)
    assert inbox.pdus[0].tlvs == {0x424: b"Hello"}
    assert smsc.received[-1].command == Command.DATA_SM_RESP


@pytest.mark.parametrize("statuses", [None, []], ids=["raises", "answers too few"])
@on_loop
async def test_what_could_not_be_kept_is_not_answered_and_comes_again(
    smsc: Smsc, statuses: list[int] | None
) -> None:
    async def deliver(pdus: Sequence[Pdu]) -> Sequence[int]:
        if statuses is None:
            raise RuntimeError("the disk is full")
        return statuses

    async with bound(smsc, deliver) as session:
        delivery = smsc.send_text(CUSTOMER, OURS, "Hello")
        assert "could not be kept" in await session.over()
        await until(lambda: not smsc.links, smsc)
    assert delivery.answers == []
    async with bound(smsc):
        await until(lambda: delivery.acknowledged, smsc)
    assert delivery.sent == 2


@on_loop
async def test_what_was_kept_and_not_acknowledged_in_time_comes_again(smsc: Smsc) -> None:
    smsc.misbehave(LosesAcknowledgements())
    inbox = Inbox()
    async with bound(smsc, inbox) as session:
        delivery = smsc.send_text(CUSTOMER, OURS, "Hello")
        await session.over()
    async with bound(smsc, inbox):
        await until(lambda: delivery.acknowledged, smsc)
    assert [each.fields["short_message"] for each in inbox.pdus] == [b"Hello", b"Hello"]


@on_loop
async def test_an_smsc_that_delivers_faster_than_we_keep_is_not_read_on(smsc: Smsc) -> None:
    inbox = Inbox()
    inbox.gate.clear()
    async with bound(smsc, inbox) as session:
        text = smsc.send_text(CUSTOMER, OURS, "x" * 200).pdu
        smsc.deliver(*[text] * 6_000)
        await until(lambda: len(session._arrived) >= BACKLOG and not reads(session), smsc)
        for _ in range(50):
            await asyncio.sleep(0)  # were it to go on reading, it would have read all by then
        assert len(session._arrived) < BACKLOG + 400  # what one reading may hold
        inbox.gate.set()
        await until(lambda: all(each.acknowledged for each in smsc.deliveries), smsc)
    assert len(inbox.pdus) == 6_001


@on_loop
async def test_closing_waits_until_what_came_is_kept_and_acknowledged(smsc: Smsc) -> None:
    inbox = Inbox()
    inbox.gate.clear()
    async with bound(smsc, inbox) as session:
        before = smsc.send_text(CUSTOMER, OURS, "before")
        await until(lambda: bool(inbox.batches), smsc)
        closing = asyncio.create_task(session.close())
        await asyncio.sleep(0)
        after = smsc.send_text(CUSTOMER, OURS, "after")
        smsc.send(Pdu(Command.ENQUIRE_LINK, 99))
        await until(lambda: smsc.received[-1].sequence == 99, smsc)  # so the text has been read, too
        assert not closing.done()
        inbox.gate.set()
        await closing
    assert before.acknowledged
    assert (after.answers, len(inbox.pdus)) == ([], 1)  # neither kept nor acknowledged: it comes again


@on_loop
async def test_closing_does_not_wait_for_ever_for_what_came_to_be_kept(smsc: Smsc) -> None:
    smsc.misbehave(SilentToUnbinds())
    inbox = Inbox()
    inbox.gate.clear()
    async with bound(smsc, inbox) as session:
        suspicious(session)
        delivery = smsc.send_text(CUSTOMER, OURS, "Hello")
        await until(lambda: bool(inbox.batches), smsc)
        await session.close()
        assert await session.over() == "closed"
    assert delivery.answers == []
