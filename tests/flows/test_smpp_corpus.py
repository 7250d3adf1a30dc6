"""Real texts by SMPP, both ways: each arrives as it was written, to the last character.

PARLEY_CORPUS names a file of `label<TAB>text` lines, in UTF-8. Emoji, which such files seldom have, are made
up here, at every length at which a text may be cut.
"""

import os
import random
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from uuid import UUID

import pytest

from domain.commands import Actor
from domain.segments import measure
from tests.fakes.smsc import Method, Smsc
from tests.fakes.smsc_messages import long_text
from tests.fakes.smsc_messages import text as short_text
from tests.flows.smpp_line import OURS, Line, texts
from tests.flows.stage import CUSTOMER, Agent, Stage

CORPUS = Path(os.environ.get("PARLEY_CORPUS") or "not given")
AT_ONCE = 200
ANA = Actor("ana", frozenset({"agent"}))

EMOJI = ("😀", "👍🏽", "👩‍👩‍👧‍👦", "🏳️‍🌈", "❤️", "🇬🇧", "漢", "é", "e\u0301", "a", " ")
EXTENSION = "^{}\\[~]|€"


def made_up() -> list[str]:
    """Emoji and the GSM alphabet's extension, in texts of one to four parts."""
    chance = random.Random(7)
    wide = ["".join(chance.choices(EMOJI, k=length)) for length in range(1, 120)]
    narrow = ["".join(chance.choices(f"{EXTENSION}abc", k=length)) for length in range(60, 200)]
    return [text for text in wide + narrow if text.strip()]


def corpus() -> list[str]:
    lines = CORPUS.read_text(encoding="utf-8").split("\n")
    return [line.partition("\t")[2] for line in lines if "\t" in line]


@pytest.fixture(params=["made up", "corpus"])
def written(request: pytest.FixtureRequest) -> list[str]:
    """The texts."""
    if request.param == "made up":
        return made_up()
    if not CORPUS.is_file():
        pytest.skip("PARLEY_CORPUS names no file of label<TAB>text lines")
    return corpus()


def customers(many: int) -> list[str]:
    return [f"{CUSTOMER[:-3]}{number:03}" for number in range(many)]


def chunks(items: Sequence[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    left = iter(items)
    while chunk := list(islice(left, AT_ONCE)):
        yield chunk


def test_customers_texts_are_at_the_desk_as_they_were_written(line: Line, written: list[str]) -> None:
    who = customers(60)
    sent = [(who[place % len(who)], text) for place, text in enumerate(written)]
    for number, chunk in enumerate(chunks(sent)):
        pdus = []
        for place, (customer, text) in enumerate(chunk):
            addresses = customer.removeprefix("+"), OURS.removeprefix("+")
            found = measure(text)
            if found.segments > 1:
                method = (Method.UDH_8, Method.UDH_16, Method.SAR, Method.PAYLOAD)[place % 4]
                pdus += long_text(*addresses, text, method, (number * AT_ONCE + place) % 256)
            else:
                pdus.append(short_text(*addresses, text, 0 if found.encoding == "GSM-7" else 8))
        line.taken_in(*line.smsc.deliver(*pdus))
    for customer in who:
        conversations = line.stage.conversations(customer)
        arrived = [
            each["text"]
            for conversation in reversed(conversations)
            for each in conversation["messages"]
            if each["sender"] == "customer"
        ]
        assert arrived == [text for writer, text in sent if writer == customer]


@pytest.mark.parametrize("method", [Method.UDH_8, Method.PAYLOAD])
def test_agents_texts_are_at_the_smsc_as_they_were_written(
    stage: Stage, smsc: Smsc, written: list[str], method: Method
) -> None:
    line = Line(stage, smsc)
    line.add(options={"segments_per_second": 2000, "long_messages": method})
    ana: Agent = stage.agent("ana", room=50)
    who = customers(40)
    for customer in who:
        ana.start(customer, "Hello", origin="Text line")
    open_with = {each: UUID(stage.conversation(each)["id"]) for each in who}
    sent = [(who[place % len(who)], text) for place, text in enumerate(written)]
    for chunk in chunks(sent):
        for customer, text in chunk:
            key = stage.new_key()
            stage.platform.desk.reply(ANA, open_with[customer], text, (), key)
        stage.pass_seconds(2, every=1)
    for customer in who:
        taken = [each for each in smsc.taken if each.destination == customer.removeprefix("+")]
        assert texts(taken) == ["Hello", *(text for reader, text in sent if reader == customer)]
