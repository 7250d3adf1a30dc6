"""The desk: all that an agent's page needs to begin with, and what agents do about themselves."""

from flask import Response
from pydantic import BaseModel, Field

from adapters.accounts import Role
from api.answers import Document, Query, answer, blueprint, no_content
from api.auth import allow, current_actor
from api.documents import (
    AgentDocument,
    ConversationDetailDocument,
    agent_document,
    conversation_detail_document,
)
from api.services import services
from domain.agents import AgentStatus
from domain.errors import NotFound
from domain.mapping_settings import Status
from domain.values import DeliveryProvider
from projections.configuration import Sort
from projections.configuration_queries import ConfigurationQueries, Entry, Listed
from projections.desk_queries import DeskQueries
from projections.history_queries import HistoryQueries

desk = blueprint("desk", "What an agent has before them.")

_ALL = 10_000  # more than anybody chooses from


class AgentPath(BaseModel):
    """Which agent."""

    login: str


class StatusChange(Document):
    """What an agent becomes."""

    status: AgentStatus
    requeue: bool = Field(
        default=False, description="Going offline: what is in hand returns to its queues first."
    )


class Choice(BaseModel):
    """Something to choose by its code."""

    code: str
    name: str


class CannedText(Choice):
    """A text that is sent often."""

    text: str


class StartingNumber(BaseModel):
    """One of our numbers, to start a conversation from."""

    our_address: str
    display_name: str
    mapping: str


class DeskDocument(BaseModel):
    """An agent's desk."""

    agent: AgentDocument
    conversations: list[ConversationDetailDocument] = Field(description="In hand, the oldest first.")
    origins: list[StartingNumber]
    queues: list[Choice]
    agents: list[AgentDocument]
    canned_replies: list[CannedText]
    work_codes: list[Choice]
    position: int = Field(description="From where the stream goes on: send it there as `after`.")


@desk.get("/desk", responses={200: DeskDocument})
@allow(Role.AGENT)
def get_desk(query: Query) -> Response:
    """Show one's own desk."""
    login, views = current_actor().login, services().views
    queries, configuration = DeskQueries(views), ConfigurationQueries(views)
    agent = queries.agent(login)
    if agent is None:
        raise NotFound(f"there is no agent {login}; an admin adds one of that login")
    conversations, position = queries.in_hand(login)
    history = HistoryQueries(views)
    document = DeskDocument(
        agent=agent_document(agent),
        conversations=[
            conversation_detail_document(each, history.messages(each.id)) for each in conversations
        ],
        origins=_origins(configuration),
        queues=[_choice(each) for each in _listed(configuration, Sort.QUEUE)],
        agents=[agent_document(each) for each in queries.agents()],
        canned_replies=[
            CannedText(code=each.code, name=each.name, text=each.settings["text"])
            for each in _listed(configuration, Sort.CANNED_REPLY)
        ],
        work_codes=[_choice(each) for each in _listed(configuration, Sort.WORK_CODE)],
        position=position,
    )
    return answer(document)


@desk.post("/agents/<login>/status", responses={204: None})
@allow(Role.ADMIN, Role.AGENT)
def change_status(path: AgentPath, body: StatusChange) -> Response:
    """Become available, away or offline; another agent's status is for admins."""
    done = services().desk.change_status(current_actor(), path.login, body.status, requeue=body.requeue)
    return no_content(done.position)


@desk.post("/desk/ready", responses={204: None})
@allow(Role.AGENT)
def finish_wrap_up() -> Response:
    """Be ready for the next conversation before the wrap-up time is over."""
    return no_content(services().desk.finish_wrap_up(current_actor().login).position)


def _origins(configuration: ConfigurationQueries) -> list[StartingNumber]:
    return [
        StartingNumber(our_address=each.address, display_name=each.display_name, mapping=each.mapping_code)
        for each in configuration.routes()
        if (each.status, each.delivery_provider) == (Status.ACTIVE, DeliveryProvider.SYMBEE)
    ]


def _listed(configuration: ConfigurationQueries, sort: Sort) -> tuple[Entry, ...]:
    return configuration.list(sort, Listed(), None, _ALL).items


def _choice(entry: Entry) -> Choice:
    return Choice(code=entry.code, name=entry.name)
