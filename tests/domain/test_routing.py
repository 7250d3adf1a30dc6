"""Who gets what: rule 9."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from domain.agents import Agent, AgentSettings, AgentStatus
from domain.conversations import AssignmentReason, Candidate, Conversation, State
from domain.errors import Clash
from domain.message_values import Purpose
from domain.messages import Message
from domain.routing import PREFERENCE_SECONDS, Match, Waiting, choose
from domain.threads import Thread
from tests.domain.given import ADMIN, ANA, MINUTE, OTHER, SECOND, Stage, one, then
from tests.fakes.clock import START

SUPPORT = ("SUPPORT",)


def agent(
    login: str,
    *,
    idle: int = 0,
    skills: tuple[str, ...] = SUPPORT,
    room: int = 1,
    status: AgentStatus = AgentStatus.AVAILABLE,
    in_hand: int = 0,
) -> Agent:
    """An agent who has been available for so many seconds."""
    since = START - timedelta(seconds=idle)
    new = Agent.create(UUID(int=1), login, AgentSettings(login, skills, room, 60), "root", since)
    for number in range(in_hand):
        new.hold(UUID(int=number), since)
    if status is not AgentStatus.OFFLINE:
        new.change_status(AgentStatus.AVAILABLE, "", since)
        new.change_status(status, "", since)
    return new


def waiting(preferred: str | None = None, since: datetime = START) -> Waiting:
    return Waiting(UUID(int=9), "SUPPORT", since, preferred)


def chosen(*agents: Agent, preferred: str | None = None, since: datetime = START) -> str | None:
    match = choose(waiting(preferred, since), agents, START)
    return match.agent if match else None


# ── choosing ───────────────────────────────────────────────────────────────────────────────────────


def test_the_longest_idle_gets_it() -> None:
    assert chosen(agent("a", idle=5), agent("b", idle=9), agent("c", idle=7)) == "b"


@pytest.mark.parametrize(
    "unable",
    [
        agent("b", idle=9, skills=("SALES",)),
        agent("b", idle=9, status=AgentStatus.AWAY),
        agent("b", idle=9, status=AgentStatus.OFFLINE),
        agent("b", idle=9, in_hand=1),
    ],
)
def test_who_cannot_take_it_is_passed_over(unable: Agent) -> None:
    assert chosen(unable, agent("a", idle=1)) == "a"
    assert chosen(unable) is None


def test_wrapping_up_is_no_time_for_another() -> None:
    busy = agent("a", idle=100, in_hand=1)
    busy.release(UUID(int=0), START - timedelta(seconds=59), wrap_up=True)
    assert chosen(busy) is None
    assert choose(waiting(), [busy], START + SECOND) is not None


def test_nobody_at_all_gets_nothing() -> None:
    assert chosen() is None


def test_everyone_with_the_skill_is_listed_with_a_reason() -> None:
    agents = [
        agent("away", idle=9, status=AgentStatus.AWAY),
        agent("full", idle=8, in_hand=1),
        agent("first", idle=7),
        agent("second", idle=6),
        agent("other", idle=5, skills=("SALES",)),
    ]
    match = choose(waiting(), agents, START)
    assert match is not None
    assert match.considered == (
        Candidate("away", 9, "is away"),
        Candidate("full", 8, "has no room: 1 of 1 in hand"),
        Candidate("first", 7, "idle the longest"),
        Candidate("second", 6, "idle for a shorter time"),
    )


def test_the_preferred_agent_goes_before_the_longest_idle() -> None:
    agents = [agent("a", idle=9), agent("b", idle=1)]
    match = choose(waiting("b"), agents, START)
    assert match is not None
    assert match.agent == "b"
    assert match.considered[-1].verdict == "had the last conversation"


@pytest.mark.parametrize(
    ("waited", "expected"), [(0, None), (PREFERENCE_SECONDS - 1, None), (PREFERENCE_SECONDS, "a")]
)
def test_a_preferred_agent_without_room_is_waited_for_a_little(waited: int, expected: str | None) -> None:
    since = START - timedelta(seconds=waited)
    assert chosen(agent("a"), agent("b", in_hand=1), preferred="b", since=since) == expected


@pytest.mark.parametrize(
    "gone", [agent("b", status=AgentStatus.AWAY), agent("b", skills=("SALES",)), agent("c", in_hand=1)]
)
def test_a_preferred_agent_who_will_not_come_is_not_waited_for(gone: Agent) -> None:
    assert chosen(agent("a"), gone, preferred="b") == "a"


# ── assigning ──────────────────────────────────────────────────────────────────────────────────────


def match_of(stage: Stage) -> Match:
    match = choose(stage.waiting()[0], stage.agents(), stage.now())
    assert match is not None
    return match


def test_the_reasons_are_stored_with_the_assignment(stage: Stage) -> None:
    stage.text()
    stage.clock.advance(7 * SECOND)
    stage.agent("ana")
    match = match_of(stage)
    events = stage.when(lambda: stage.routing.assign(match))
    then(events, Agent.Assigned, Conversation.Assigned, Message.Requested, Thread.AutomaticTextSent)
    assigned = one(events, Conversation.Assigned)
    assert (assigned.agent, assigned.reason, assigned.by) == ("ana", AssignmentReason.ROUTED, None)
    assert assigned.waited_seconds == 7
    assert assigned.considered == (Candidate("ana", 0, "idle the longest"),)
    told = one(events, Message.Requested)
    assert (told.purpose, told.text) == (Purpose.AGENT_JOINED, "Ana has joined the conversation.")


def test_oldest_waiting_first(stage: Stage) -> None:
    stage.text()
    stage.clock.advance(SECOND)
    stage.text(customer=OTHER)
    stage.agent("ana", room=1)
    assert stage.route() == ["ana"]
    assert stage.conversation().state is State.ASSIGNED
    assert stage.conversation(OTHER).state is State.WAITING


def test_work_is_spread_over_those_who_have_room(stage: Stage) -> None:
    for number in range(4):
        stage.text(customer=f"+1415555010{number}")
        stage.clock.advance(SECOND)
    stage.agent("ana", room=4)
    stage.clock.advance(SECOND)
    stage.agent("ben", room=4)
    got = []
    for _ in range(4):
        stage.clock.advance(SECOND)
        match = match_of(stage)
        stage.routing.assign(match)
        got.append(match.agent)
    assert got == ["ana", "ben", "ana", "ben"]


@pytest.mark.parametrize("change", ["ended", "transferred", "assigned", "away", "full", "removed"])
def test_what_is_not_so_any_more_is_not_assigned(stage: Stage, change: str) -> None:
    stage.agent("ana", room=1)
    stage.text()
    match, conversation_id = match_of(stage), stage.conversation().id
    if change == "ended":
        stage.clock.advance(10 * MINUTE)
        stage.idle()
    elif change == "transferred":
        stage.desk.transfer_to_queue(ADMIN, conversation_id, "SALES")
    elif change == "assigned":
        stage.agent("ben")
        stage.desk.transfer_to_agent(ADMIN, conversation_id, "ben")
    elif change == "away":
        stage.desk.change_status(ANA, "ana", AgentStatus.AWAY, requeue=False)
    elif change == "full":
        stage.start(customer=OTHER)
    else:
        stage.catalogue.remove_agent(ADMIN, "ana")
    before = stage.store.head()
    assert stage.routing.assign(match).result is False
    assert stage.store.head() == before


def test_what_never_was_is_not_assigned(stage: Stage) -> None:
    assert stage.routing.assign(Match(waiting(), "nobody", ())).result is False
    stage.routing.release("nobody", UUID(int=1))


def test_room_is_an_invariant_of_the_agents_stream() -> None:
    full = agent("a", in_hand=1)
    with pytest.raises(Clash, match="has no room: 1 of 1 in hand"):
        full.assign(UUID(int=5), START)
    full.hold(UUID(int=5), START)  # started by the agent
    assert len(full.in_hand) == 2
