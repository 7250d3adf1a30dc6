"""Routing: the oldest waiting conversation meets the available agent who has been idle the longest."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.agents import Agent
from domain.commands import Commands, Done
from domain.conversations import AssignmentReason, Candidate, Conversation, State
from domain.errors import Clash
from domain.message_values import Purpose
from domain.sittings import Sittings
from domain.world import World

PREFERENCE_SECONDS = 30
"""So long a returning customer waits for the agent of the last conversation, when that one is at work."""


@dataclass(frozen=True)
class Waiting:
    """A conversation in a queue, as the routing view lists it: heads of queues first, then by age."""

    conversation_id: UUID
    queue: str
    since: datetime
    preferred_agent: str | None


@dataclass(frozen=True)
class Match:
    """Who gets a conversation, and everyone who was considered for it."""

    waiting: Waiting
    agent: str
    considered: tuple[Candidate, ...]


def choose(waiting: Waiting, agents: Sequence[Agent], at: datetime) -> Match | None:
    """The available agent with the skill, room and the longest idle time; None when there is none."""
    ranked = sorted(agents, key=lambda agent: agent.idle_since)
    reasons = {agent.login: agent.why_not(waiting.queue, at) for agent in ranked}
    able = [agent.login for agent in ranked if reasons[agent.login] is None]
    if not able:
        return None
    chosen = _preferred(waiting, able, reasons, at)
    if chosen is None:
        return None
    considered = tuple(
        Candidate(
            agent=agent.login,
            idle_seconds=max(0, int((at - agent.idle_since).total_seconds())),
            verdict=_verdict(agent.login, chosen, waiting, reasons[agent.login]),
        )
        for agent in ranked
        if waiting.queue in agent.settings.skills
    )
    return Match(waiting, chosen, considered)


def _preferred(waiting: Waiting, able: list[str], reasons: dict[str, str | None], at: datetime) -> str | None:
    preferred = waiting.preferred_agent
    if preferred in able:
        return preferred
    busy = preferred is not None and "no room" in (reasons.get(preferred) or "")
    if busy and (at - waiting.since).total_seconds() < PREFERENCE_SECONDS:
        return None
    return able[0]


def _verdict(login: str, chosen: str, waiting: Waiting, reason: str | None) -> str:
    if login == chosen:
        return "had the last conversation" if login == waiting.preferred_agent else "idle the longest"
    return reason or "idle for a shorter time"


class Routing:
    """The router's commands."""

    def __init__(self, commands: Commands, sittings: Sittings) -> None:
        self._commands = commands
        self._sittings = sittings

    def assign(self, match: Match) -> Done[bool]:
        """Put the conversation in the agent's hands; False when either is not so any more."""
        agent_id = self._sittings.ids.agent(match.agent)

        def decide(world: World, at: datetime) -> bool:
            world.load({agent_id, match.waiting.conversation_id})
            conversation = world.get(Conversation, match.waiting.conversation_id)
            agent = world.get(Agent, agent_id)
            if conversation is None or agent is None:
                return False
            in_queue = conversation.state is State.WAITING and conversation.queue == match.waiting.queue
            if not in_queue or agent.why_not(match.waiting.queue, at):
                return False
            world.load(self._sittings.streams_to_end(conversation))
            try:
                agent.assign(conversation.id, at)
            except Clash:
                return False
            waited = max(0, int((at - match.waiting.since).total_seconds()))
            conversation.assign(
                match.agent, AssignmentReason.ROUTED, at, waited_seconds=waited, considered=match.considered
            )
            self._sittings.tell(world, conversation, Purpose.AGENT_JOINED, at, agent=agent.settings.name)
            return True

        return self._commands.run(decide)

    def release(self, login: str, conversation_id: UUID) -> Done[None]:
        """Take a conversation that has ended out of the agent's hands."""
        agent_id = self._sittings.ids.agent(login)

        def decide(world: World, at: datetime) -> None:
            world.load({agent_id})
            agent = world.get(Agent, agent_id)
            if agent:
                agent.release(conversation_id, at, wrap_up=True)

        return self._commands.run(decide)
