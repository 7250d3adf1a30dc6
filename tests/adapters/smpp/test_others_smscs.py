"""Our session with SMSCs that others wrote: each takes our PDUs, and we understand what it makes of them."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from adapters.smpp import receipts
from adapters.smpp.concatenation import Method, alphabet_of, read, segments
from adapters.smpp.pdu import Command, Pdu, Status
from adapters.smpp.receipts import IdFormat, Receipt
from adapters.smpp.session import Bind, BindRefused, Mode, NotConnected, Refused, Session
from domain.alphabets import Alphabet, decode
from domain.facts import ReceiptStatus
from tests.adapters.smpp.sessions import CUSTOMER, OURS, Inbox, on_loop
from tests.servers.certificates import make_certificates
from tests.servers.smscs import ECHO, Smsc

_SECONDS = 10
_SHORT = ["Hello", "^{}[~]\\| 5 € @ £", "Grüße an Žofia", "👍🏽"]
_LONG = ["0123456789^{€}" * 14, "Ça va ✓ 👩‍👩‍👧 " * 12]


def _bind(smsc: Smsc, **how: Any) -> Bind:
    user: dict[str, Any] = {"system_id": smsc.system_id, "password": smsc.password}
    return Bind(smsc.host, smsc.port, **(user | how))


@asynccontextmanager
async def _bound(smsc: Smsc, inbox: Inbox | None = None, **how: Any) -> AsyncIterator[Session]:
    session = await Session.open(_bind(smsc, **how), inbox or Inbox())
    try:
        yield session
        begun = asyncio.get_running_loop().time()
        await session.close()
        assert asyncio.get_running_loop().time() - begun < _SECONDS / 2, "it did not answer the unbind"
    finally:
        session.abort()


def _submits(
    text: str, *, to: str = CUSTOMER, method: Method = Method.UDH_8, with_receipt: bool = False
) -> list[Pdu]:
    """The requests that send a text."""
    coding, parts = segments(text, gsm=Alphabet.GSM, method=method, reference=7)
    return [
        Pdu(
            Command.SUBMIT_SM,
            0,
            fields={
                "source_addr_ton": 1,
                "source_addr_npi": 1,
                "source_addr": OURS,
                "dest_addr_ton": 1,
                "dest_addr_npi": 1,
                "destination_addr": to,
                "esm_class": part.esm_class,
                "registered_delivery": int(with_receipt),
                "data_coding": coding,
                "short_message": part.short_message,
            },
            tlvs=part.tlvs,
        )
        for part in parts
    ]


async def _submit(session: Session, pdus: Sequence[Pdu]) -> list[str]:
    """Submit all at once; the ids that they got."""
    answers = await asyncio.gather(*(session.request(pdu) for pdu in pdus))
    return [str(answer.fields["message_id"]) for answer in answers]


def _texts(inbox: Inbox) -> list[Pdu]:
    return [pdu for pdu in inbox.pdus if receipts.read(pdu) is None]


def _receipts(inbox: Inbox) -> list[Receipt]:
    return [receipt for pdu in inbox.pdus if (receipt := receipts.read(pdu)) is not None]


def _joined(pdus: Sequence[Pdu]) -> str:
    """What they say, in the order in which they came."""
    said = ""
    for pdu in pdus:
        coding = pdu.fields["data_coding"]
        assert isinstance(coding, int)
        alphabet = alphabet_of(coding, Alphabet.GSM)
        assert alphabet is not None
        said += decode(read(pdu)[1], alphabet)
    return said


async def _until(condition: Callable[[], bool]) -> None:
    deadline = asyncio.get_running_loop().time() + _SECONDS
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "it never came to be"
        await asyncio.sleep(0.01)


def _has(inbox: Inbox, deliveries: int) -> bool:
    return len(inbox.pdus) >= deliveries


@on_loop
async def test_short_texts_are_taken_and_receipts_name_them(others_smsc: Smsc) -> None:
    inbox = Inbox()
    id_format = IdFormat(others_smsc.abilities.message_ids)
    async with _bound(others_smsc, inbox) as session:
        sent = await _submit(session, [pdu for text in _SHORT for pdu in _submits(text, with_receipt=True)])
        await _until(lambda: len(_receipts(inbox)) == len(_SHORT))

    told = [
        receipts.canonical(each.message_id, of_receipt=True, format=id_format) for each in _receipts(inbox)
    ]
    ours = [receipts.canonical(each, of_receipt=False, format=id_format) for each in sent]
    assert sorted(told) == sorted(ours)
    assert {each.status for each in _receipts(inbox)} == {ReceiptStatus.DELIVERED}


@pytest.mark.parametrize("method", Method)
@on_loop
async def test_long_texts_are_taken_in_every_way(others_smsc: Smsc, method: Method) -> None:
    pdus = [pdu for text in _LONG for pdu in _submits(text, method=method)]
    async with _bound(others_smsc) as session:
        ids = await _submit(session, pdus)

    assert len(set(ids)) == len(pdus)


@pytest.mark.parametrize("method", Method)
@pytest.mark.parametrize("text", [*_SHORT, *_LONG])
@on_loop
async def test_what_they_understood_is_what_we_said(scripted_smsc: Smsc, method: Method, text: str) -> None:
    inbox = Inbox()
    async with _bound(scripted_smsc, inbox) as session:
        await _submit(session, _submits(text, to=ECHO, method=method))
        await _until(lambda: len(_joined(_texts(inbox))) >= len(text))

    assert _joined(_texts(inbox)) == text
    assert {pdu.fields["source_addr"] for pdu in _texts(inbox)} == {ECHO}
    assert {pdu.fields["destination_addr"] for pdu in _texts(inbox)} == {OURS}


@on_loop
async def test_a_text_that_they_deliver_comes_in(others_smsc: Smsc) -> None:
    inbox = Inbox()
    async with _bound(others_smsc, inbox):
        if others_smsc.abilities.delivers:
            await asyncio.to_thread(others_smsc.deliver, "Good morning")
        await _until(lambda: bool(_texts(inbox)))

    assert _joined(_texts(inbox)) == (others_smsc.abilities.greeting or "Good morning")


@pytest.mark.parametrize("text", [*_SHORT, *_LONG])
@on_loop
async def test_a_text_that_they_wrote_comes_in_whole(scripted_smsc: Smsc, text: str) -> None:
    inbox = Inbox()
    async with _bound(scripted_smsc, inbox):
        await asyncio.to_thread(scripted_smsc.deliver, text, source=CUSTOMER, destination=OURS)
        await _until(lambda: len(_joined(_texts(inbox))) >= len(text))

    assert _joined(_texts(inbox)) == text
    parts = [read(pdu)[0] for pdu in _texts(inbox)]
    if len(parts) > 1:
        assert [part and (part.number, part.total) for part in parts] == [
            (number, len(parts)) for number in range(1, len(parts) + 1)
        ]
        assert len({part and part.reference for part in parts}) == 1


@on_loop
async def test_what_jsmpp_delivers_is_acknowledged(jsmpp: Smsc) -> None:
    inbox = Inbox()
    for times in (1, 2):  # it waits for our answer before it accepts the next connection
        async with _bound(jsmpp, inbox):
            await _until(partial(_has, inbox, times))

    assert "Could not send deliver_sm" not in jsmpp.log_path.read_text()


@on_loop
async def test_they_answer_enquire_link(others_smsc: Smsc) -> None:
    async with _bound(others_smsc) as session:
        answer = await session.request(Pdu(Command.ENQUIRE_LINK, 0))

    assert (answer.command, answer.status) == (Command.ENQUIRE_LINK_RESP, Status.OK)


@on_loop
async def test_a_session_that_asks_nothing_stays_because_it_answers(smpp_twisted: Smsc) -> None:
    async with _bound(smpp_twisted) as session:
        with pytest.raises(TimeoutError):  # it asks after half a second, and would wait 2 s for an answer
            await asyncio.wait_for(session.over(), 3)


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"password": "another"}, Status.INVALID_PASSWORD),
        ({"system_id": "nobody"}, Status.INVALID_SYSTEM_ID),
    ],
)
@on_loop
async def test_they_refuse_whom_they_do_not_know(
    others_smsc: Smsc, wrong: dict[str, str], status: Status
) -> None:
    with pytest.raises(BindRefused) as refused:
        await Session.open(_bind(others_smsc, **wrong), Inbox())

    assert refused.value.status == status


@on_loop
async def test_a_transmitter_is_refused_where_only_transceivers_are_taken(jsmpp: Smsc) -> None:
    with pytest.raises(BindRefused) as refused:
        await Session.open(_bind(jsmpp, mode=Mode.TRANSMITTER), Inbox())

    assert refused.value.status == Status.BIND_FAILED


@on_loop
async def test_a_transmitter_sends_and_a_receiver_gets_the_receipt(node_smpp: Smsc) -> None:
    inbox, nothing = Inbox(), Inbox()
    async with (
        _bound(node_smpp, inbox, mode=Mode.RECEIVER),
        _bound(node_smpp, nothing, mode=Mode.TRANSMITTER) as transmitter,
    ):
        (sent,) = await _submit(transmitter, _submits("Hello", with_receipt=True))
        await _until(lambda: bool(inbox.pdus))

    assert [each.message_id for each in _receipts(inbox)] == [sent]
    assert nothing.pdus == []


@on_loop
async def test_the_window_shrinks_when_it_throttles(new_node_smpp: Callable[..., Smsc]) -> None:
    smsc = await asyncio.to_thread(new_node_smpp, throttle_every=3)
    async with _bound(smsc, window=8) as session:
        taken = await asyncio.gather(
            *(session.request(pdu) for pdu in _submits("Hello") * 9), return_exceptions=True
        )
        assert session.window < 8

    refused = [each for each in taken if isinstance(each, Refused)]
    assert [each.status for each in refused] == [Status.THROTTLED] * 3
    assert sum(isinstance(each, Pdu) for each in taken) == 6


@on_loop
async def test_tls_is_spoken_with_who_has_a_certificate_that_we_trust(
    new_node_smpp: Callable[..., Smsc], server_folder: Path
) -> None:
    certificates = make_certificates(server_folder / "certificates")
    smsc = await asyncio.to_thread(new_node_smpp, certificates=certificates)
    trust = ssl.create_default_context(cafile=str(certificates.authority))
    async with _bound(smsc, tls=trust) as session:
        assert len(await _submit(session, _submits("Hello"))) == 1

    with pytest.raises(NotConnected, match="certificate"):
        await Session.open(_bind(smsc, tls=ssl.create_default_context()), Inbox())
