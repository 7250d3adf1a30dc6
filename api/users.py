"""Users: the people who sign in."""

from flask import Response
from pydantic import BaseModel, Field, SecretStr, StrictBool

from adapters.accounts import Role, User, UserDraft
from api.answers import PREFIX, Document, Page, PageQuery, Query, answer, blueprint, created, no_content
from api.auth import allow
from api.services import services
from domain.errors import NotFound
from projections.pages import behind, cursor_of

users = blueprint("users", "The people who sign in.")


class UserPath(BaseModel):
    """Which user."""

    login: str


class UserChange(Document):
    """What can be changed of a user."""

    name: str
    roles: list[Role]
    password: SecretStr | None = Field(
        default=None, description="8 to 200 characters. Left out it stays; a new one ends open sessions."
    )
    disabled: StrictBool = False

    def draft(self, login: str) -> UserDraft:
        """What the accounts keep of it."""
        password = self.password.get_secret_value() if self.password is not None else None
        return UserDraft(login, self.name, frozenset(self.roles), password, self.disabled)


class NewUser(UserChange):
    """A user to add."""

    login: str
    password: SecretStr = Field(description="8 to 200 characters.")


class UserAnswer(BaseModel):
    """A user as it is."""

    login: str
    name: str
    roles: list[Role]
    disabled: bool


class UserPage(Page[UserAnswer]):
    """Users by login."""


@users.get("/users", responses={200: UserPage})
@allow(Role.ADMIN)
def list_users(query: PageQuery) -> Response:
    """List users, by login."""
    after = str(behind(query.cursor, [str])[0]) if query.cursor else ""
    found = services().people.users(after, query.limit + 1)
    shown = found[: query.limit]
    more = cursor_of([shown[-1].login]) if len(found) > query.limit else None
    return answer(UserPage(items=[_answer(user) for user in shown], next=more))


@users.post("/users", responses={201: UserAnswer})
@allow(Role.ADMIN)
def add_user(body: NewUser) -> Response:
    """Add a user."""
    services().people.add_user(body.draft(body.login))
    return created(_document(body.login), f"{PREFIX}/users/{body.login}")


@users.get("/users/<login>", responses={200: UserAnswer})
@allow(Role.ADMIN)
def get_user(path: UserPath, query: Query) -> Response:
    """Show a user."""
    return answer(_document(path.login))


@users.put("/users/<login>", responses={200: UserAnswer})
@allow(Role.ADMIN)
def modify_user(path: UserPath, body: UserChange) -> Response:
    """Replace a user's name, roles or password, or disable the user, which ends open sessions."""
    services().people.modify_user(body.draft(path.login))
    return answer(_document(path.login))


@users.delete("/users/<login>", responses={204: None})
@allow(Role.ADMIN)
def delete_user(path: UserPath) -> Response:
    """Remove a user; open sessions end."""
    services().people.remove_user(path.login)
    return no_content()


def _document(login: str) -> UserAnswer:
    user = services().people.user(login)
    if user is None:
        raise NotFound(f"there is no user {login}")
    return _answer(user)


def _answer(user: User) -> UserAnswer:
    return UserAnswer(login=user.login, name=user.name, roles=sorted(user.roles), disabled=user.disabled)
