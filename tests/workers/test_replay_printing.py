"""A timeline in a terminal and as JSON."""

import json
from datetime import timedelta
from io import StringIO
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from domain.errors import NotFound
from domain.replay import Replay, Timeline
from tests.domain.given import ANA, CUSTOMER, Stage
from workers.replay_printing import print_timeline, timeline_json

HOSTILE = "\x1b[31mred\x07 \u202egnp.exe [bold]not bold[/bold] 👩\u200d💻"


def timeline() -> Timeline:
    stage = Stage()
    stage.agent("ana")
    stage.agent("ben")
    stage.text(HOSTILE)
    stage.clock.advance(timedelta(seconds=5))
    stage.route()
    conversation = stage.conversation(CUSTOMER)
    stage.desk.reply(ANA, conversation.id, "good day", (), "k1")
    return Replay(stage.store, stage.ids).timeline(conversation.id, [])


def printed(found: Timeline, *, after: timedelta | None = None) -> str:
    output = StringIO()
    console = Console(file=output, width=200, force_terminal=False)
    moment = found.entries[0].at + after if after is not None else None
    print_timeline(found, console, ZoneInfo("Europe/Warsaw"), moment)
    return output.getvalue()


def test_people_read_the_configuration_and_what_happened() -> None:
    text = printed(timeline())
    assert "TW, version 1" in text
    assert "10 minutes" in text
    assert "2026-03-02 10:00:05.000" in text  # an hour ahead of UTC
    assert "“good day”" in text
    assert "ana: idle the longest" in text
    assert "ben: idle for a shorter time" in text


def test_texts_cannot_steer_the_terminal() -> None:
    text = printed(timeline())
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert r"\u001b[31mred\u0007 \u202egnp.exe [bold]not bold[/bold] 👩‍💻" in text


def test_the_state_as_of_a_moment() -> None:
    then = printed(timeline(), after=timedelta(seconds=1))
    assert "waiting" in then
    assert "good day" not in then
    assert "received" in then
    now = printed(timeline(), after=timedelta(minutes=1))
    assert "assigned" in now
    assert "good day" in now
    assert "not begun" in printed(timeline(), after=timedelta(seconds=-1))


def test_programs_read_json() -> None:
    found = timeline()
    document = json.loads(json.dumps(timeline_json(found)))
    assert document["conversation_id"] == str(found.conversation_id)
    assert [each["sentence"] for each in document["entries"]][1] == f"“{HOSTILE}”"
    began = found.entries[0].at
    then = json.loads(json.dumps(timeline_json(found, began)))
    assert (then["state"], [each["text"] for each in then["messages"]]) == ("waiting", [HOSTILE])
    with pytest.raises(NotFound):
        timeline_json(found, began - timedelta(seconds=1))
