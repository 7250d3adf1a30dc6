"""Connections: the AWS accounts and Amazon Connect instances that mappings refer to."""

from dataclasses import asdict

from flask import Response
from pydantic import BaseModel, Field

from adapters.accounts import Role
from api.answers import PREFIX, Document, Page, PageQuery, Query, answer, blueprint, created, no_content
from api.auth import allow, current_actor
from api.configuration import found, page_of
from api.services import services
from domain.connections import Connection, ConnectionSettings
from projections.configuration import Sort

connections = blueprint("connections", "AWS accounts and Amazon Connect instances.")


class ConnectionPath(BaseModel):
    """Which connection."""

    code: str


class ConnectionChange(Document):
    """The settings of a connection."""

    name: str
    region: str
    role: str | None = Field(default=None, description="ARN to assume; null: the ambient credentials.")
    external_id: str | None = None
    instance_id: str | None = Field(default=None, description="Of Amazon Connect.")
    streaming_topic: str | None = Field(default=None, description="ARN, for Connect's chat streaming.")
    topics: list[str] = Field(default=[], description="ARNs of SNS topics that may be believed.")
    queues: list[str] = Field(default=[], description="URLs of SQS queues to read.")

    def settings(self) -> ConnectionSettings:
        """What the domain keeps of it."""
        fields = {name: getattr(self, name) for name in ConnectionChange.model_fields}
        return ConnectionSettings(**fields | {"topics": tuple(self.topics), "queues": tuple(self.queues)})


class NewConnection(ConnectionChange):
    """A connection to add."""

    code: str


class ConnectionAnswer(NewConnection):
    """A connection as it is."""

    users: list[str] = Field(description="The mappings that name it.")


class ConnectionPage(Page[ConnectionAnswer]):
    """Connections by code."""


@connections.get("/connections", responses={200: ConnectionPage})
@allow(Role.ADMIN)
def list_connections(query: PageQuery) -> Response:
    """List connections, by code."""
    page, following = page_of(Connection, Sort.CONNECTION, services().ids.connection, query)
    return answer(ConnectionPage(items=[_answer(each) for each in page], next=following))


@connections.post("/connections", responses={201: ConnectionAnswer})
@allow(Role.ADMIN)
def add_connection(body: NewConnection) -> Response:
    """Add a connection."""
    done = services().catalogue.put_connection(current_actor(), body.code, body.settings(), new=True)
    return created(_document(body.code), f"{PREFIX}/connections/{body.code}", done.position)


@connections.get("/connections/<code>", responses={200: ConnectionAnswer})
@allow(Role.ADMIN)
def get_connection(path: ConnectionPath, query: Query) -> Response:
    """Show a connection."""
    return answer(_document(path.code))


@connections.put("/connections/<code>", responses={200: ConnectionAnswer})
@allow(Role.ADMIN)
def modify_connection(path: ConnectionPath, body: ConnectionChange) -> Response:
    """Replace a connection's settings."""
    done = services().catalogue.put_connection(current_actor(), path.code, body.settings(), new=False)
    return answer(_document(path.code), position=done.position)


@connections.delete("/connections/<code>", responses={204: None})
@allow(Role.ADMIN)
def delete_connection(path: ConnectionPath) -> Response:
    """Remove a connection. Refused while mappings name it."""
    return no_content(services().catalogue.remove_connection(current_actor(), path.code).position)


def _document(code: str) -> ConnectionAnswer:
    return _answer(found(Connection, services().ids.connection(code), f"connection {code}"))


def _answer(connection: Connection) -> ConnectionAnswer:
    fields = asdict(connection.settings) | {"code": connection.code, "users": sorted(connection.users)}
    return ConnectionAnswer.model_validate(fields)
