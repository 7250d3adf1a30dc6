"""The checker finds nothing where nothing is wrong, and every planted bug where one is (I14)."""

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from faults import checker
from faults.evidence import Event, Evidence, Post, Reply, Send, Span
from faults.planted import BUGS, Bug, planted
from tests.faults.made_up import BEGIN, DOUBT, REPLY, SECOND, TALK, Story, evidence

FOLDER = Path(checker.__file__).parent
APART = ("evidence", "folds", "checker", "planted", "opening", "reading")
ROOMS = {"domain", "adapters", "database", "projections", "api", "workers", "contracts", "avro_schemas"}


def invariants(found: Evidence) -> set[str]:
    return {each.invariant for each in checker.judge(found)}


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    assert checker.judge(evidence()) == []


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_noticed(bug: Bug) -> None:
    assert bug.invariant in invariants(planted(evidence(), bug))


def test_planting_leaves_the_evidence_as_it_was() -> None:
    original = evidence()
    for bug in BUGS:
        planted(original, bug)
    assert checker.judge(original) == []


def test_a_resend_that_somebody_authorised_may_be_taken_twice() -> None:
    found = resent(evidence(), by="agent-1")
    assert checker.judge(found) == []


def test_one_that_nobody_authorised_may_not() -> None:
    assert "I5" in invariants(resent(evidence(), by=""))


def resent(found: Evidence, *, by: str) -> Evidence:
    """The message in doubt is resolved, sent once more, and accepted."""
    last = found.events[-1]
    story = Story()
    story.tell(DOUBT, "message.resolved", 72.0, resolution="resend", by=by)
    story.tell(DOUBT, "message.attempted", 73.0, attempt=2, send_by=BEGIN + 83)
    story.tell(DOUBT, "message.accepted", 75.0, attempt=2, provider_message_id="SMd")
    previous = last.position
    for event in story.events:
        moved = replace(event, position=previous + 1, version=event.version + 3)
        found.events.append(moved)
        found.tailed.add(moved.position)
        key = found.copies[0].key
        found.copies.append(
            replace(
                found.copies[0],
                offset=len(found.copies),
                key=key,
                position=moved.position,
                previous=previous,
                digest=moved.digest,
            )
        )
        previous = moved.position
    found.sends.append(Send("SMd", DOUBT, 2, "+12025550001", "two", BEGIN + 74))
    found.views = replace(found.views, position=previous, in_doubt=set())
    return found


def test_an_attempt_that_may_still_be_answered_is_no_violation() -> None:
    found = evidence()
    found.events = [each for each in found.events if each.stream != REPLY or each.version < 3]
    found.final, found.now = False, BEGIN + 11 + 30
    assert "I6" not in invariants(found)
    found.now = BEGIN + 21 + 61
    assert "I6" in invariants(found)


@pytest.mark.parametrize(("broken", "violated"), [(False, True), (True, False)])
def test_what_another_process_kept_may_be_overtaken_while_the_log_is_away(
    *, broken: bool, violated: bool
) -> None:
    found = evidence()
    found.outages = [Span(BEGIN - 1, BEGIN + 4)] if broken else []
    overtake(found, api=1)
    assert ("I3" in invariants(found)) is violated


def test_what_the_same_process_kept_may_not() -> None:
    found = evidence()
    found.outages = [Span(BEGIN - 1, BEGIN + 4)]
    overtake(found, api=0)
    assert "I3" in invariants(found)


def overtake(found: Evidence, *, api: int) -> None:
    """The second text, posted to this process, stands before the first, which process 0 accepted."""
    text = found.texts["SM2"]
    text.posts = [Post(api, text.begun, text.begun + 0.2, 200)]
    places = [place for place, each in enumerate(found.events) if each.topic.endswith("received.v1")]
    one, other = (found.events[place] for place in places)
    found.events[places[0]] = replace(other, position=one.position)
    found.events[places[1]] = replace(one, position=other.position)


def test_an_idle_end_before_a_text_that_was_accepted_in_time_is_early() -> None:
    found = evidence()
    place = next(place for place, each in enumerate(found.events) if each.stream == SECOND)
    event = found.events[place]
    found.events = [
        each
        for each in found.events
        if each.stream != SECOND and not (each.stream == TALK and each.version == 3)
    ]
    found.events.append(replace(event, position=found.events[-1].position + 2))
    assert any("before text SM2" in each.what for each in checker.judge(found))


def test_a_reply_that_is_there_twice_is_noticed() -> None:
    found = evidence()
    found.events.append(replace(requested_reply(found), stream="ee" * 16, version=1, position=999))
    doubled = [each for each in checker.judge(found) if each.kind == "duplicated"]
    assert [each.invariant for each in doubled] == ["I1"]


def requested_reply(found: Evidence) -> Event:
    return next(each for each in found.events if each.stream == REPLY)


def test_a_forgotten_customer_s_words_are_not_missed() -> None:
    found = evidence()
    found.events = [
        replace(each, data={**each.data, "text": None}) if "text" in each.data else each
        for each in found.events
    ]
    found.replies.append(Reply("to somebody else"))
    assert "I2" in invariants(found)
    found.forgotten = {"+12025550001"}
    assert checker.judge(found) == []


def test_the_checker_stands_apart_from_the_platform() -> None:
    for name in APART:
        roots, ours = imports_of(FOLDER / f"{name}.py")
        assert not roots & ROOMS, name
        assert ours <= set(APART), name


def imports_of(path: Path) -> tuple[set[str], set[str]]:
    """The packages that a module imports, and which modules of faults/."""
    names = set(imported(ast.parse(path.read_text("utf-8"))))
    return {each.split(".")[0] for each in names}, {
        each.split(".")[1] for each in names if each.startswith("faults.")
    }


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None
            yield node.module
