"""A session binds, carries requests within its window, and ends in order."""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.smpp.exchanges import LAST_SEQUENCE
from adapters.smpp.pdu import Command, Pdu, Status
from adapters.smpp.session import BindRefused, Mode, NotConnected, NotSent, Refused, Session, Unanswered
from tests.adapters.smpp.sessions import Inbox, bind_to, bound, on_loop, submit, submit_all, suspicious, until
from tests.fakes.smsc import Smsc
from tests.fakes.smsc_faults import (
    LateResponse,
    OutOfOrder,
    QueueFull,
    RefusesBind,
    Silent,
    SilentToBinds,
    SilentToUnbinds,
    Throttled,
)
from tests.servers.certificates import Certificates, make_certificates


@pytest.fixture
def smsc() -> Iterator[Smsc]:
    with Smsc() as running:
        yield running


# ── binding ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("mode", "command"),
    [
        (Mode.TRANSCEIVER, Command.BIND_TRANSCEIVER),
        (Mode.TRANSMITTER, Command.BIND_TRANSMITTER),
        (Mode.RECEIVER, Command.BIND_RECEIVER),
    ],
)
@on_loop
async def test_it_binds_and_unbinds(smsc: Smsc, mode: Mode, command: Command) -> None:
    async with bound(smsc, mode=mode, system_type="VMS") as session:
        assert smsc.bound == 1
        await session.close()
        assert await session.over() == "closed"
    bind, unbind = smsc.received
    assert (bind.command, unbind.command) == (command, Command.UNBIND)
    assert bind.fields == {
        "system_id": "parley",
        "password": "secret",
        "system_type": "VMS",
        "interface_version": 0x34,
        "addr_ton": 0,
        "addr_npi": 0,
        "address_range": "",
    }


@pytest.mark.parametrize(
    "status",
    [
        Status.INVALID_BIND,
        Status.ALREADY_BOUND,
        Status.SYSTEM_ERROR,
        Status.BIND_FAILED,
        Status.INVALID_PASSWORD,
        Status.INVALID_SYSTEM_ID,
        Status.THROTTLED,
        0x0400,  # an SMSC's own
    ],
)
@on_loop
async def test_a_bind_that_is_refused_says_why(smsc: Smsc, status: int) -> None:
    smsc.misbehave(RefusesBind(status))
    with pytest.raises(BindRefused) as caught:
        await Session.open(bind_to(smsc), Inbox())
    assert caught.value.status == status
    await until(lambda: not smsc.links, smsc)


@on_loop
async def test_a_wrong_password_is_refused(smsc: Smsc) -> None:
    with pytest.raises(BindRefused, match="INVALID_PASSWORD"):
        await Session.open(bind_to(smsc, password="guess"), Inbox())


def test_a_bind_does_not_show_its_password(smsc: Smsc) -> None:
    assert "secret" not in repr(bind_to(smsc))


@pytest.mark.parametrize("field", ["system_id", "password", "system_type"])
@on_loop
async def test_what_does_not_fit_is_known_before_anyone_is_connected_to(smsc: Smsc, field: str) -> None:
    with pytest.raises(ValueError, match=field):
        await Session.open(bind_to(smsc, **{field: "x" * 16}), Inbox())
    assert smsc.connections == 0


@on_loop
async def test_nobody_there_is_not_connected(smsc: Smsc) -> None:
    smsc.refuse()
    with pytest.raises(NotConnected, match=f"127.0.0.1:{smsc.port}: Connection refused$"):
        await Session.open(bind_to(smsc), Inbox())


@pytest.mark.parametrize(("host", "port"), [("no..host", 2775), ("127.0.0.1", 70_000)])
@on_loop
async def test_a_place_that_cannot_be_is_not_connected(smsc: Smsc, host: str, port: int) -> None:
    with pytest.raises(NotConnected, match=str(port)):
        await Session.open(bind_to(smsc, host=host, port=port), Inbox())


@on_loop
async def test_a_bind_that_is_not_answered_is_not_connected(smsc: Smsc) -> None:
    smsc.misbehave(SilentToBinds(None))
    with pytest.raises(NotConnected, match=r"no answer in 0\.02 s"):
        await Session.open(bind_to(smsc, response_timeout=0.02), Inbox())
    await until(lambda: not smsc.links, smsc)


@on_loop
async def test_a_connection_that_does_not_come_about_in_time_is_not_connected(tmp_path: Path) -> None:
    context = ssl.create_default_context()
    with socket.create_server(("127.0.0.1", 0)) as silent, Smsc() as smsc:  # accepts, and says nothing
        there = bind_to(smsc, port=silent.getsockname()[1], tls=context, connect_timeout=0.02)
        with pytest.raises(NotConnected, match=r"in 0\.02 s"):
            await Session.open(there, Inbox())


# ── TLS ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return make_certificates(tmp_path)


@pytest.fixture
def tls_smsc(certificates: Certificates) -> Iterator[Smsc]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server)
    with Smsc(tls=context) as running:
        yield running


@on_loop
async def test_it_binds_by_tls(tls_smsc: Smsc, certificates: Certificates) -> None:
    trusting = ssl.create_default_context(cafile=str(certificates.authority))
    async with bound(tls_smsc, tls=trusting) as session:
        await submit_all(session, *(["Hello"] * 30))
        assert len(tls_smsc.taken) == 30
        await session.close()
        assert await session.over() == "closed"


@on_loop
async def test_a_certificate_that_is_not_trusted_is_not_connected(tls_smsc: Smsc) -> None:
    with pytest.raises(NotConnected, match="CERTIFICATE_VERIFY_FAILED"):
        await Session.open(bind_to(tls_smsc, tls=ssl.create_default_context()), Inbox())
    assert tls_smsc.received == []


# ── requests ───────────────────────────────────────────────────────────────────────────────────────


@on_loop
async def test_every_request_gets_its_own_answer_and_they_leave_in_order(smsc: Smsc) -> None:
    texts = [f"text {number}" for number in range(100)]
    async with bound(smsc) as session:
        responses = await submit_all(session, *texts)
    assert [each.octets.decode() for each in smsc.taken] == texts
    assert [each.fields["message_id"] for each in responses if isinstance(each, Pdu)] == [
        each.message_id for each in smsc.taken
    ]


@on_loop
async def test_answers_may_come_in_any_order(smsc: Smsc) -> None:
    smsc.misbehave(OutOfOrder(10))
    async with bound(smsc, window=10) as session:
        responses = await submit_all(session, *map(str, range(10)))
    assert [each.fields["message_id"] for each in responses if isinstance(each, Pdu)] == [
        str(number) for number in range(1, 11)
    ]


@on_loop
async def test_no_more_than_the_window_are_unanswered_at_once(smsc: Smsc) -> None:
    smsc.misbehave(LateResponse(3))
    async with bound(smsc, window=3) as session:
        submitting = asyncio.create_task(submit_all(session, *map(str, range(8))))
        await until(lambda: len(smsc.taken) == 3, smsc)
        smsc.send(Pdu(Command.ENQUIRE_LINK, 99))  # its answer comes after whatever was written before
        await until(lambda: smsc.received[-1].sequence == 99, smsc)
        assert [each.command for each in smsc.received[1:-1]] == [Command.SUBMIT_SM] * 3
        smsc.let_go()
        await submitting
        assert len(smsc.taken) == 8


@on_loop
async def test_a_field_that_does_not_fit_costs_nothing(smsc: Smsc) -> None:
    async with bound(smsc, window=1) as session:
        with pytest.raises(ValueError, match="short_message"):
            await session.request(submit("x" * 300))
        await session.request(submit())
    assert len(smsc.taken) == 1


@pytest.mark.parametrize("fault", [Throttled, QueueFull])
@on_loop
async def test_the_window_shrinks_while_it_is_too_much_and_grows_back(
    smsc: Smsc, fault: type[Throttled | QueueFull]
) -> None:
    smsc.misbehave(fault(2))
    async with bound(smsc, window=8) as session:
        widths = []
        for _ in range(2):
            with pytest.raises(Refused):
                await session.request(submit())
            widths.append(session.window)
        for _ in range(5):
            await session.request(submit())
            widths.append(session.window)
        assert widths == [4, 2, 2, 3, 3, 3, 4]
        await submit_all(session, *(["more"] * 30))
        assert session.window == 8


@on_loop
async def test_sequence_numbers_begin_again_after_the_last(smsc: Smsc) -> None:
    async with bound(smsc) as session:
        session._exchanges._last = LAST_SEQUENCE - 1
        await submit_all(session, "one", "two")
    assert [each.sequence for each in smsc.received[-2:]] == [LAST_SEQUENCE, 1]


# ── what must not leave any more ───────────────────────────────────────────────────────────────────


@on_loop
async def test_after_its_time_a_request_is_not_written(smsc: Smsc) -> None:
    async with bound(smsc) as session:
        now = asyncio.get_running_loop().time()
        with pytest.raises(NotSent):
            await session.request(submit("late"), write_by=now)
        await session.request(submit("in time"), write_by=now + 60)
    assert [each.octets for each in smsc.taken] == [b"in time"]


@on_loop
async def test_a_request_does_not_wait_for_room_longer_than_its_time(smsc: Smsc) -> None:
    smsc.misbehave(Silent())
    async with bound(smsc, window=1) as session:
        first = asyncio.create_task(session.request(submit("first")))
        await until(lambda: len(smsc.received) == 2, smsc)
        with pytest.raises(NotSent, match="no room in the window"):
            await session.request(submit("second"), write_by=asyncio.get_running_loop().time() + 0.02)
        session.abort()
        with pytest.raises(Unanswered):
            await first
    assert smsc.taken == []


@on_loop
async def test_of_a_dropped_session_what_waited_was_not_sent_and_what_left_is_unanswered(smsc: Smsc) -> None:
    smsc.misbehave(Silent(None))
    async with bound(smsc, window=2) as session:
        submitting = asyncio.create_task(submit_all(session, *map(str, range(5))))
        await until(lambda: len(smsc.received) == 3, smsc)
        session.abort()
        assert [type(each) for each in await submitting] == [Unanswered] * 2 + [NotSent] * 3
        assert await session.over() == "aborted"
        with pytest.raises(NotSent, match="aborted"):
            await session.request(submit())


@on_loop
async def test_a_cancelled_request_that_was_not_written_never_is(smsc: Smsc) -> None:
    async with bound(smsc, window=1) as session:
        cancelled = asyncio.create_task(session.request(submit("no")))
        await asyncio.sleep(0)  # it is queued now
        cancelled.cancel()
        await session.request(submit("yes"))
    assert [each.octets for each in smsc.taken] == [b"yes"]


@on_loop
async def test_the_answer_to_a_cancelled_request_is_late(smsc: Smsc) -> None:
    smsc.misbehave(LateResponse())
    late: list[tuple[int, Pdu]] = []
    async with bound(smsc, window=1) as session:
        session.late = lambda sequence, response: late.append((sequence, response))
        cancelled = asyncio.create_task(session.request(submit()))
        await until(lambda: len(smsc.taken) == 1, smsc)
        cancelled.cancel()
        await asyncio.gather(cancelled, return_exceptions=True)
        smsc.let_go()
        await until(lambda: bool(late), smsc)
        await session.request(submit("the window has room again"))
    assert [(sequence, pdu.fields) for sequence, pdu in late] == [(2, {"message_id": "1"})]


# ── closing ────────────────────────────────────────────────────────────────────────────────────────


@on_loop
async def test_closing_waits_for_the_answers_under_way_and_starts_nothing_new(smsc: Smsc) -> None:
    smsc.misbehave(LateResponse(2))
    async with bound(smsc, window=2) as session:
        submitting = asyncio.create_task(submit_all(session, *map(str, range(5))))
        await until(lambda: len(smsc.taken) == 2, smsc)
        closing = asyncio.create_task(session.close())
        await asyncio.sleep(0)
        with pytest.raises(NotSent, match="is ending"):
            await session.request(submit())
        assert not closing.done()
        smsc.let_go()
        assert [type(each) for each in await submitting] == [Pdu] * 2 + [NotSent] * 3
        await closing
    assert [each.command for each in smsc.received[1:]] == [Command.SUBMIT_SM] * 2 + [Command.UNBIND]


@on_loop
async def test_closing_does_not_wait_for_ever(smsc: Smsc) -> None:
    smsc.misbehave(Silent(), SilentToUnbinds())
    async with bound(smsc) as session:
        suspicious(session)
        submitting = asyncio.create_task(submit_all(session, "never answered"))
        await until(lambda: len(smsc.received) == 2, smsc)
        await session.close()
        assert [type(each) for each in await submitting] == [Unanswered]
        await session.close()  # again: nothing
        assert await session.over() == "closed"
