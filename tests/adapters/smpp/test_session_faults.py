"""Whatever an SMSC does wrong, each request ends with what is known of it. The session goes on or ends."""

import asyncio
import socket
from collections.abc import Iterator

import pytest

from adapters.smpp.pdu import HEADER, Command, Pdu, Status
from adapters.smpp.session import BACKLOG, CHUNK, NotSent, Refused, Unanswered
from tests.adapters.smpp.sessions import (
    CUSTOMER,
    OURS,
    Inbox,
    bound,
    impatient,
    on_loop,
    reads,
    submit,
    submit_all,
    suspicious,
    until,
)
from tests.fakes.smsc import ReceiptForm, Smsc
from tests.fakes.smsc_faults import (
    AbsurdLength,
    BrokenBody,
    DropsInTheMiddle,
    Garbage,
    LateResponse,
    Nacks,
    QueueFull,
    ReceiptBeforeResponse,
    Refuses,
    RefusesEnquiries,
    RefusesWithoutBody,
    ResetsAfterTaking,
    ResetsBeforeTaking,
    Silent,
    SilentAfterTaking,
    SilentToEnquiries,
    SlowWrites,
    StopsReading,
    SubmitFailed,
    Throttled,
    TooShortLength,
    UnbindsItself,
    UnknownCommand,
    Unsolicited,
)
from tests.fakes.smsc_link import Fault


@pytest.fixture
def smsc() -> Iterator[Smsc]:
    with Smsc() as running:
        yield running


# ── refusals ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("fault", "status", "width"),
    [
        (Throttled(), Status.THROTTLED, 5),
        (QueueFull(), Status.QUEUE_FULL, 5),
        (SubmitFailed(), Status.SUBMIT_FAILED, 10),
        (Refuses(Status.INVALID_DESTINATION), Status.INVALID_DESTINATION, 10),
        (Refuses(0x0411), 0x0411, 10),
        (RefusesWithoutBody(Status.THROTTLED), Status.THROTTLED, 5),
        (RefusesWithoutBody(Status.SYSTEM_ERROR), Status.SYSTEM_ERROR, 10),
        (Nacks(), Status.INVALID_COMMAND, 10),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Fault) else None,
)
@on_loop
async def test_a_refusal_says_the_status_and_is_not_tried_again(
    smsc: Smsc, fault: Fault, status: int, width: int
) -> None:
    smsc.misbehave(fault)
    async with bound(smsc) as session:
        with pytest.raises(Refused) as caught:
            await session.request(submit())
        assert (caught.value.status, session.window, len(smsc.received)) == (status, width, 2)
        await session.request(submit("and on"))
    assert [each.octets for each in smsc.taken] == [b"and on"]


# ── no answer ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("fault", "taken"), [(Silent(), 1), (SilentAfterTaking(), 2)])
@on_loop
async def test_silence_is_unanswered_and_takes_no_room_for_ever(smsc: Smsc, fault: Fault, taken: int) -> None:
    smsc.misbehave(fault)
    async with bound(smsc, window=1) as session:
        impatient(session)
        with pytest.raises(Unanswered, match=r"no answer in 0\.02 s"):
            await session.request(submit())
        session._exchanges._timeout = 10
        await session.request(submit())
    assert len(smsc.taken) == taken


@on_loop
async def test_of_several_unanswered_each_has_its_own_time(smsc: Smsc) -> None:
    smsc.misbehave(Silent(1), Silent(1, after=1))
    async with bound(smsc, window=3) as session:
        impatient(session)
        results = await submit_all(session, "silence", "answered", "silence")
    assert [type(each) for each in results] == [Unanswered, Pdu, Unanswered]


@on_loop
async def test_an_answer_that_comes_too_late_is_told_once(smsc: Smsc) -> None:
    smsc.misbehave(LateResponse())
    late: list[tuple[int, Pdu]] = []
    async with bound(smsc) as session:
        session.late = lambda sequence, response: late.append((sequence, response))
        impatient(session)
        with pytest.raises(Unanswered) as caught:
            await session.request(submit())
        session._exchanges._timeout = 10
        smsc.let_go()
        smsc.send(Pdu(Command.SUBMIT_SM_RESP, caught.value.sequence, fields={"message_id": "again"}))
        await session.request(submit())  # what was written before was read before
    assert [(sequence, pdu.fields) for sequence, pdu in late] == [
        (caught.value.sequence, {"message_id": "1"})
    ]


@on_loop
async def test_an_answer_to_something_else_is_none(smsc: Smsc) -> None:
    smsc.misbehave(LateResponse())
    async with bound(smsc) as session:
        submitting = asyncio.create_task(session.request(submit()))
        await until(lambda: len(smsc.taken) == 1, smsc)
        smsc.send(Pdu(Command.ENQUIRE_LINK_RESP, smsc.taken[0].pdu.sequence))
        smsc.let_go()
        assert (await submitting).fields["message_id"] == "1"


@on_loop
async def test_a_nack_is_no_good_answer_whatever_its_status(smsc: Smsc) -> None:
    smsc.misbehave(Silent())
    async with bound(smsc) as session:
        submitting = asyncio.create_task(session.request(submit()))
        await until(lambda: len(smsc.received) == 2, smsc)
        smsc.send(Pdu(Command.GENERIC_NACK, smsc.received[-1].sequence, Status.OK))
        with pytest.raises(Refused):
            await submitting


@on_loop
async def test_unsolicited_answers_are_ignored(smsc: Smsc) -> None:
    smsc.misbehave(Unsolicited(2))
    late: list[int] = []
    async with bound(smsc) as session:
        session.late = lambda sequence, response: late.append(sequence)
        responses = [await session.request(submit()) for _ in range(3)]
    assert [each.fields["message_id"] for each in responses] == ["1", "2", "3"]
    assert late == []


# ── the connection ends ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("fault", "taken", "reason"),
    [
        (ResetsBeforeTaking(), 0, "connection"),
        (ResetsAfterTaking(), 1, "connection"),
        (DropsInTheMiddle(), 1, "closed the connection"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Fault) else None,
)
@on_loop
async def test_a_connection_that_ends_leaves_what_was_written_unanswered(
    smsc: Smsc, fault: Fault, taken: int, reason: str
) -> None:
    smsc.misbehave(fault)
    async with bound(smsc, window=1) as session:
        results = await submit_all(session, "written", "waiting for room")
        assert [type(each) for each in results] == [Unanswered, NotSent]
        assert reason in await session.over()
    assert len(smsc.taken) == taken


@pytest.mark.parametrize("fault", [Garbage, AbsurdLength, TooShortLength])
@on_loop
async def test_what_is_no_smpp_is_refused_and_ends_the_session(smsc: Smsc, fault: type[Fault]) -> None:
    smsc.misbehave(fault())
    async with bound(smsc) as session:
        with pytest.raises(Unanswered, match="no SMPP"):
            await session.request(submit())
        assert "command_length" in await session.over()
        await until(lambda: not smsc.links, smsc)
    nack = smsc.received[-1]
    assert (nack.command, nack.sequence, nack.status) == (Command.GENERIC_NACK, 0, Status.INVALID_LENGTH)


@pytest.mark.parametrize(
    ("fault", "status"),
    [(BrokenBody(), Status.INVALID_LENGTH), (UnknownCommand(), Status.INVALID_COMMAND)],
    ids=lambda value: type(value).__name__ if isinstance(value, Fault) else None,
)
@on_loop
async def test_one_pdu_that_cannot_be_read_is_refused_and_the_session_goes_on(
    smsc: Smsc, fault: Fault, status: int
) -> None:
    smsc.misbehave(fault)
    async with bound(smsc) as session:
        await session.request(submit())
        await session.request(submit())
        await until(lambda: any(each.command == Command.GENERIC_NACK for each in smsc.received), smsc)
    nack = next(each for each in smsc.received if each.command == Command.GENERIC_NACK)
    assert (nack.sequence, nack.status) == (7, status)


@on_loop
async def test_a_bad_response_is_not_answered(smsc: Smsc) -> None:
    async with bound(smsc) as session:
        smsc.write(bytes.fromhex("00000013 80000004 00000000 00000009") + b"abc")
        await session.request(submit())
    assert [each.command for each in smsc.received[1:]] == [Command.SUBMIT_SM]


@pytest.mark.parametrize("command", [Command.SUBMIT_SM, Command.QUERY_SM, Command.BIND_RECEIVER])
@on_loop
async def test_requests_that_an_smsc_has_no_business_to_make_are_refused(
    smsc: Smsc, command: Command
) -> None:
    async with bound(smsc):
        smsc.send(Pdu(command, 77))
        await until(lambda: len(smsc.received) == 2, smsc)
    assert smsc.received[1] == Pdu(Command.GENERIC_NACK, 77, Status.INVALID_COMMAND)


@on_loop
async def test_notices_that_have_no_response_get_none(smsc: Smsc) -> None:
    async with bound(smsc) as session:
        smsc.send(Pdu(Command.OUTBIND, 5), Pdu(Command.ALERT_NOTIFICATION, 6))
        await session.request(submit())
    assert [each.command for each in smsc.received[1:]] == [Command.SUBMIT_SM]


# ── the SMSC unbinds ───────────────────────────────────────────────────────────────────────────────


@on_loop
async def test_when_the_smsc_unbinds_it_is_answered_and_the_session_is_over(smsc: Smsc) -> None:
    smsc.misbehave(UnbindsItself())
    async with bound(smsc) as session:
        await session.request(submit())
        assert await session.over() == "the SMSC unbound"
        with pytest.raises(NotSent, match="the SMSC unbound"):
            await session.request(submit())
        await until(lambda: smsc.received[-1].command == Command.UNBIND_RESP, smsc)


@on_loop
async def test_what_is_under_way_when_the_smsc_unbinds_is_finished_first(smsc: Smsc) -> None:
    smsc.misbehave(LateResponse())
    inbox = Inbox()
    inbox.gate.clear()
    async with bound(smsc, inbox) as session:
        submitting = asyncio.create_task(session.request(submit()))
        delivery = smsc.send_text(CUSTOMER, OURS, "Hello")
        await until(lambda: bool(smsc.taken and inbox.batches), smsc)
        smsc.unbind()
        smsc.let_go()
        await submitting
        assert not session._over.is_set()
        inbox.gate.set()
        await session.over()
        await until(lambda: smsc.received[-1].command == Command.UNBIND_RESP, smsc)
    assert delivery.acknowledged


# ── is it there? ───────────────────────────────────────────────────────────────────────────────────


@on_loop
async def test_it_asks_whether_the_smsc_is_there_and_goes_on_when_it_is(smsc: Smsc) -> None:
    smsc.misbehave(RefusesEnquiries(Status.SYSTEM_ERROR))
    async with bound(smsc, enquire_every=0.001) as session:
        await until(lambda: [each.command for each in smsc.received].count(Command.ENQUIRE_LINK) > 3, smsc)
        await session.request(submit())


@pytest.mark.parametrize("fault", [None, RefusesEnquiries(Status.SYSTEM_ERROR, times=None)])
@on_loop
async def test_an_answer_to_enquire_link_proves_that_all_before_it_arrived(
    smsc: Smsc, fault: RefusesEnquiries | None
) -> None:
    if fault:
        smsc.misbehave(fault)
    async with bound(smsc, enquire_every=0.001) as session:
        bound_at = session.proven_at
        await until(lambda: session.proven_at > bound_at, smsc)


@on_loop
async def test_without_an_answer_nothing_is_proven(smsc: Smsc) -> None:
    smsc.misbehave(SilentToEnquiries(None))
    async with bound(smsc, enquire_every=0.001, response_timeout=0.05) as session:
        bound_at = session.proven_at
        await session.over()
    assert session.proven_at == bound_at


@on_loop
async def test_it_answers_when_the_smsc_asks(smsc: Smsc) -> None:
    async with bound(smsc):
        smsc.send(Pdu(Command.ENQUIRE_LINK, 41))
        await until(lambda: len(smsc.received) == 2, smsc)
    assert smsc.received[1] == Pdu(Command.ENQUIRE_LINK_RESP, 41)


@on_loop
async def test_an_smsc_that_does_not_say_whether_it_is_there_is_not(smsc: Smsc) -> None:
    smsc.misbehave(SilentToEnquiries(None), Silent())
    async with bound(smsc, enquire_every=0.01) as session:
        suspicious(session)
        with pytest.raises(Unanswered, match="did not answer enquire_link"):
            await session.request(submit())
        assert "did not answer enquire_link" in await session.over()


# ── slow, or not at all ────────────────────────────────────────────────────────────────────────────


@on_loop
async def test_answers_may_come_octet_by_octet(smsc: Smsc) -> None:
    smsc.misbehave(SlowWrites())
    inbox = Inbox()
    async with bound(smsc, inbox) as session:
        responses = await submit_all(session, *map(str, range(5)))
        delivery = smsc.send_text(CUSTOMER, OURS, "Slow")
        await until(lambda: delivery.acknowledged, smsc)
    assert [each.fields["message_id"] for each in responses if isinstance(each, Pdu)] == list("12345")
    assert inbox.pdus[0].fields["short_message"] == b"Slow"


@on_loop
async def test_a_receipt_may_come_before_the_answer(smsc: Smsc) -> None:
    smsc.receipts = ReceiptForm.BOTH
    smsc.misbehave(ReceiptBeforeResponse())
    inbox = Inbox()
    request = submit()
    async with bound(smsc, inbox) as session:
        response = await session.request(
            Pdu(request.command, 0, fields={**request.fields, "registered_delivery": 1})
        )
        await until(lambda: smsc.deliveries[0].acknowledged, smsc)
    assert response.fields["message_id"] == "1"
    assert bytes(inbox.pdus[0].fields["short_message"]).startswith(b"id:1 ")  # type: ignore[arg-type]


@on_loop
async def test_what_cannot_be_written_stays_with_us_and_can_be_taken_back(smsc: Smsc) -> None:
    smsc.misbehave(StopsReading())
    async with bound(smsc, window=200) as session:
        large = Pdu(Command.SUBMIT_SM, 0, fields=submit().fields, tlvs={0x424: b"x" * 60_000})
        requests = [asyncio.create_task(session.request(large)) for _ in range(200)]
        transport = session._writer.transport
        await until(lambda: len(smsc.received) == 2 and transport.get_write_buffer_size() > 0, smsc)
        assert transport.get_write_buffer_size() < CHUNK + 61_000  # one chunk and no more
        requests[-1].cancel()  # 12 million octets are more than the kernel takes
        smsc.let_go()
        results = await asyncio.gather(*requests, return_exceptions=True)
    assert isinstance(results[-1], asyncio.CancelledError)
    assert len(smsc.taken) == 199


@on_loop
async def test_of_a_session_that_is_stuck_what_did_not_leave_is_known(smsc: Smsc) -> None:
    smsc.misbehave(StopsReading())
    async with bound(smsc, window=200, enquire_every=0.05) as session:
        suspicious(session)
        large = Pdu(Command.SUBMIT_SM, 0, fields=submit().fields, tlvs={0x424: b"x" * 60_000})
        requests = [asyncio.create_task(session.request(large)) for _ in range(200)]
        results = await asyncio.gather(*requests, return_exceptions=True)
        assert "enquire_link" in await session.over()
        smsc.let_go()
        await until(lambda: not smsc.links, smsc)
    kinds = [type(each) for each in results]
    assert kinds == sorted(kinds, key=[Unanswered, NotSent].index)  # first what left, then what did not
    assert len(smsc.taken) < kinds.count(Unanswered) < 200


@on_loop
async def test_an_smsc_that_asks_and_does_not_read_fills_no_memory(smsc: Smsc) -> None:
    smsc.misbehave(StopsReading())
    async with bound(smsc) as session:
        session._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        submitting = asyncio.create_task(session.request(submit()))
        await until(lambda: len(smsc.received) == 2, smsc)
        smsc.write(bytes.fromhex("00000010 00000015 00000000 00000009") * 80_000)
        await until(lambda: not reads(session) and len(session._outgoing) > BACKLOG, smsc)
        for _ in range(50):
            await asyncio.sleep(0)  # were it to go on reading, it would have read all by then
        assert len(session._outgoing) < BACKLOG + CHUNK / HEADER + 100
        session.abort()
        with pytest.raises(Unanswered):
            await submitting
