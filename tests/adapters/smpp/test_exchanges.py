"""What was given up is remembered for its late answer, but not for ever."""

import asyncio

import pytest

from adapters.smpp.exchanges import REMEMBERED, Exchange, Exchanges, Unanswered
from adapters.smpp.pdu import Command, Pdu
from tests.adapters.smpp.sessions import on_loop


@on_loop
async def test_only_the_last_that_were_given_up_are_remembered() -> None:
    late: list[int] = []
    exchanges = Exchanges(timeout=0, late=lambda sequence, _: late.append(sequence))
    for sequence in range(1, REMEMBERED + 2):
        await give_up(exchanges, sequence)
    for sequence in range(1, REMEMBERED + 2):
        exchanges.end(response(sequence))
    assert late == list(range(2, REMEMBERED + 2))


@on_loop
async def test_a_number_that_is_used_again_stands_for_the_new_request_only() -> None:
    late: list[int] = []
    exchanges = Exchanges(timeout=0, late=lambda sequence, _: late.append(sequence))
    await give_up(exchanges, 7)
    again = begun(exchanges, 7)
    exchanges.end(response(7))
    assert (await again.answer).sequence == 7
    exchanges.end(response(7))
    assert late == []


async def give_up(exchanges: Exchanges, sequence: int) -> None:
    with pytest.raises(Unanswered):
        await begun(exchanges, sequence).answer


def begun(exchanges: Exchanges, sequence: int) -> Exchange:
    answer: asyncio.Future[Pdu] = asyncio.get_running_loop().create_future()
    exchange = Exchange(sequence, Command.SUBMIT_SM, b"", None, answer)
    exchanges.begin(exchange)
    return exchange


def response(sequence: int) -> Pdu:
    return Pdu(Command.SUBMIT_SM_RESP, sequence)
