"""Agents, as admins see them: name, skills, room, wrap-up."""

from dataclasses import asdict

from flask import Response
from pydantic import BaseModel, Field, StrictInt

from adapters.accounts import Role
from api.answers import PREFIX, Document, Page, PageQuery, Query, answer, blueprint, created, no_content
from api.auth import allow, current_actor
from api.configuration import found, page_of
from api.services import services
from domain.agents import Agent, AgentSettings, AgentStatus
from projections.configuration import Sort

agents = blueprint("agents", "Who answers, with what skills, and for how many at once.")


class AgentPath(BaseModel):
    """Which agent."""

    login: str


class AgentChange(Document):
    """What an admin decides about an agent."""

    name: str
    skills: list[str] = Field(default=[], description="Codes of skill queues.")
    room: StrictInt = Field(
        default=5,
        description="Most conversations at once.",
        json_schema_extra={"minimum": 1, "maximum": 50},
    )
    wrap_up_seconds: StrictInt = Field(
        default=0,
        description="After a conversation, before the next.",
        json_schema_extra={"minimum": 0, "maximum": 3600},
    )

    def settings(self) -> AgentSettings:
        """What the domain keeps of it."""
        return AgentSettings(self.name, tuple(self.skills), self.room, self.wrap_up_seconds)


class NewAgent(AgentChange):
    """An agent to add."""

    login: str


class AgentAnswer(NewAgent):
    """An agent as it is."""

    status: AgentStatus
    in_hand: int = Field(description="How many conversations the agent has now.")


class AgentPage(Page[AgentAnswer]):
    """Agents by login."""


@agents.get("/agents", responses={200: AgentPage})
@allow(*Role)
def list_agents(query: PageQuery) -> Response:
    """List agents, by login."""
    page, following = page_of(Agent, Sort.AGENT, services().ids.agent, query)
    return answer(AgentPage(items=[_answer(each) for each in page], next=following))


@agents.post("/agents", responses={201: AgentAnswer})
@allow(Role.ADMIN)
def add_agent(body: NewAgent) -> Response:
    """Add an agent. Who is to sign in needs a user of the same login too."""
    done = services().catalogue.put_agent(current_actor(), body.login, body.settings(), new=True)
    return created(_document(body.login), f"{PREFIX}/agents/{body.login}", done.position)


@agents.get("/agents/<login>", responses={200: AgentAnswer})
@allow(*Role)
def get_agent(path: AgentPath, query: Query) -> Response:
    """Show an agent."""
    return answer(_document(path.login))


@agents.put("/agents/<login>", responses={200: AgentAnswer})
@allow(Role.ADMIN)
def modify_agent(path: AgentPath, body: AgentChange) -> Response:
    """Replace what an admin decides about an agent."""
    done = services().catalogue.put_agent(current_actor(), path.login, body.settings(), new=False)
    return answer(_document(path.login), position=done.position)


@agents.delete("/agents/<login>", responses={204: None})
@allow(Role.ADMIN)
def delete_agent(path: AgentPath) -> Response:
    """Remove an agent. Refused while conversations are in hand."""
    return no_content(services().catalogue.remove_agent(current_actor(), path.login).position)


def _document(login: str) -> AgentAnswer:
    return _answer(found(Agent, services().ids.agent(login), f"agent {login}"))


def _answer(agent: Agent) -> AgentAnswer:
    fields = asdict(agent.settings) | {"login": agent.login, "status": agent.status}
    return AgentAnswer.model_validate({**fields, "in_hand": len(agent.in_hand)})
