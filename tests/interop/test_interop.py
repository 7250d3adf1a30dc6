"""`make interop`: with the counterparts of our own, and that it notices what fails."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bench.programs import Parley
from tests.interop.__main__ import COUNTERPARTS, failed
from tests.interop.conversation import Check, Conversations, Row
from tests.interop.counterparts import Counterpart, OwnSmsc, Simulator, Telnyx, Twilio
from tests.interop.desk import Desk
from tests.interop.table import lines

PAGE = Path(__file__).parents[2] / "docs" / "interop.md"


@pytest.fixture(scope="module")
def parley(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parley]:
    with Parley(tmp_path_factory.mktemp("parley"), "--demo") as parley:
        yield parley


@pytest.fixture(scope="module")
def desk(parley: Parley) -> Iterator[Desk]:
    with closing(Desk(parley)) as desk:
        yield desk


class Mute(OwnSmsc):
    """Nothing that its customers write gets out."""

    name = "a mute SMSC"

    def text(self, text: str) -> None:
        raise RuntimeError("not a word")


@pytest.mark.parametrize("kind", [Twilio, Telnyx, Simulator, OwnSmsc])
def test_every_provider_holds_a_whole_conversation(
    kind: type[Counterpart], parley: Parley, desk: Desk, tmp_path: Path
) -> None:
    with kind(tmp_path, parley, desk) as far:
        row = Conversations(desk, far).hold()
    assert (row.wrong, row.cannot, row.done) == ({}, {}, list(Check))
    assert not failed([row])


def test_what_fails_is_told(parley: Parley, desk: Desk, tmp_path: Path) -> None:
    with Mute(tmp_path, parley, desk) as far:
        row = Conversations(desk, far).hold()
    assert set(row.wrong) == set(Check) - {Check.RECEIPT}
    assert failed([row])
    drawn = "\n".join(lines([row]))
    assert ("✗ (1)" in drawn, "- 1: a mute SMSC: not a word" in drawn) == (True, True)


def test_what_is_not_here_is_told() -> None:
    row = Row("SMPP", "an SMSC", missing="install it")
    drawn = "\n".join(lines([row]))
    assert ("not run (1)" in drawn, "- 1: an SMSC: install it" in drawn) == (True, True)


def test_the_page_shows_them_all() -> None:
    shown = [
        [cell.strip() for cell in line.split("|")[1:3]]
        for line in PAGE.read_text("utf-8").splitlines()
        if "|" in line
    ]
    assert shown[2:] == [[each.provider, each.name] for each in COUNTERPARTS]
