"""The session of a person who has signed in."""

from flask import Response
from pydantic import BaseModel, Field, SecretStr

from adapters.accounts import Role, User
from api.answers import SECURITY, Document, Query, answer, blueprint, no_content
from api.auth import allow, csrf_token, current_actor, end_session, public, sign_in
from api.services import services

session = blueprint("session", "Signing in and out, for people's pages.", secured=False)


class Credentials(Document):
    """What a person signs in with."""

    login: str = Field(max_length=60)
    password: SecretStr = Field(max_length=200)


class SessionAnswer(BaseModel):
    """Who asks."""

    login: str
    name: str
    roles: list[Role]
    csrf_token: str = Field(description="To be sent as `X-CSRFToken` with everything but reads.")


@session.post("/session", responses={201: SessionAnswer})
@public
def open_session(body: Credentials) -> Response:
    """Sign in. The session is a cookie; machines use API keys instead."""
    user = sign_in(body.login, body.password.get_secret_value())
    return answer(_document(user), 201)


@session.get("/session", responses={200: SessionAnswer}, security=SECURITY)
@allow(*Role)
def show_session(query: Query) -> Response:
    """Show who asks."""
    actor = current_actor()
    user = services().people.user(actor.login)
    name = user.name if user else actor.login
    roles = sorted(Role(each) for each in actor.roles)
    return answer(SessionAnswer(login=actor.login, name=name, roles=roles, csrf_token=csrf_token()))


@session.delete("/session", responses={204: None}, security=SECURITY)
@allow(*Role)
def close_session() -> Response:
    """Sign out."""
    end_session()
    return no_content()


def _document(user: User) -> SessionAnswer:
    return SessionAnswer(login=user.login, name=user.name, roles=sorted(user.roles), csrf_token=csrf_token())
