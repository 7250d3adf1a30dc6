"""Who asks, and whether they may: API keys for machines, sessions for people, roles for every route.

Every route says who may use it, by `@allow(...)` or `@public`; one that says nothing is closed to everybody.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar, cast

import flask_login
from flask import Flask, current_app, g, request, session
from flask_login import LoginManager, UserMixin
from flask_wtf.csrf import CSRFProtect, generate_csrf
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import TooManyRequests, Unauthorized

from adapters.accounts import Role, User
from api.services import services
from api.sign_in_limit import SignInLimit
from domain.commands import Actor
from domain.errors import Forbidden

SESSION_LASTS = timedelta(hours=12)
CSRF_HEADER = "X-CSRFToken"

_ROLES = "parley_roles"  # the attribute by which a view function says who may use it
_LIMIT = "parley_sign_in_limit"
_PUBLIC: frozenset[Role] = frozenset()

View = TypeVar("View", bound=Callable[..., Any])

_csrf = CSRFProtect()


# ── what routes say ────────────────────────────────────────────────────────────────────────────


def allow(*roles: Role) -> Callable[[View], View]:
    """Who may use a view function: those with any of these roles. Stands below the route's decorator."""

    def declare(view: View) -> View:
        setattr(view, _ROLES, frozenset(roles))
        return view

    return declare


def public(view: View) -> View:
    """Anybody may use this view function, without credentials."""
    setattr(view, _ROLES, _PUBLIC)
    return view


def declared_roles(view: Callable[..., Any]) -> frozenset[Role] | None:
    """Who may use a view function: those with any of the roles; empty: anybody; None: it does not say."""
    return cast("frozenset[Role] | None", getattr(view, _ROLES, None))


# ── who asks ───────────────────────────────────────────────────────────────────────────────────


class _SignedIn(UserMixin):  # type: ignore[misc]  # Flask-Login is published without types
    """A user as Flask-Login keeps one. The session ends when the password changes."""

    def __init__(self, user: User) -> None:
        self.user = user

    def get_id(self) -> str:
        return f"{self.user.stamp}:{self.user.login}"


def current_actor() -> Actor:
    """Who gives the command that this request is. Only on routes that are not public."""
    return cast("Actor", g.actor)


def signed_in_user() -> User | None:
    """The person whose session this request belongs to, on public routes too."""
    found = flask_login.current_user
    return found.user if isinstance(found._get_current_object(), _SignedIn) else None  # noqa: SLF001


def csrf_token() -> str:
    """What a person's page sends back, as the header `X-CSRFToken` or the form field `csrf_token`."""
    return cast("str", generate_csrf())


def check_csrf() -> None:
    """Refuse a form that is not from a page of ours. Raises CSRFError. For public routes that need it."""
    _csrf.protect()


def sign_in(login: str, password: str) -> User:
    """Begin a person's session. Raises Unauthorized, or TooManyRequests after repeated failures."""
    limit: SignInLimit = current_app.extensions[_LIMIT]
    now = services().clock.now()
    wait = limit.wait(login, now)
    if wait is not None:
        raise TooManyRequests(
            "too many failed sign-ins with this login: wait a while",
            retry_after=int(wait.total_seconds()) + 1,
        )
    user = services().people.verify(login, password)
    if user is None:
        limit.failed(login, now)
        raise Unauthorized("login or password is wrong")
    limit.succeeded(login)
    begin_session(user)
    return user


def begin_session(user: User) -> None:
    """Begin a session for somebody who has been identified; whatever session there was is over."""
    session.clear()
    session.permanent = True
    flask_login.login_user(_SignedIn(user))


def end_session() -> None:
    """End a person's session in this browser."""
    flask_login.logout_user()
    session.clear()


# ── whether they may ───────────────────────────────────────────────────────────────────────────


def register(app: Flask, public_url: str) -> None:
    """Guard every route of the application."""
    is_https = public_url.startswith("https://")
    app.config.update(
        SESSION_COOKIE_NAME="__Host-parley" if is_https else "parley",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=is_https,
        PERMANENT_SESSION_LIFETIME=SESSION_LASTS,
        WTF_CSRF_CHECK_DEFAULT=False,  # `_authorise` checks, only where a session is used
        WTF_CSRF_TIME_LIMIT=None,  # the token lasts as long as the session
        WTF_CSRF_SSL_STRICT=False,  # would compare with the Host header, which is not to be trusted
    )
    app.extensions[_LIMIT] = SignInLimit()
    _csrf.init_app(app)
    manager = LoginManager(app)
    manager.user_loader(_load_user)
    app.before_request(_authorise)
    static = app.view_functions.get("static")
    if static:
        public(static)


def _load_user(session_id: str) -> _SignedIn | None:
    stamp, _, login = session_id.partition(":")
    user = services().people.user(login)
    return _SignedIn(user) if user and not user.disabled and user.stamp == stamp else None


def _authorise() -> None:
    """Raises Unauthorized, Forbidden, CSRFError."""
    if request.endpoint is None:
        return  # there is no such route: 404 or 405 follows
    needed = declared_roles(current_app.view_functions[request.endpoint])
    if needed == _PUBLIC:
        return
    g.actor = _by_key() if "Authorization" in request.headers else _by_session()
    if not needed or not needed & g.actor.roles:
        raise Forbidden(f"this needs the role {' or '.join(sorted(needed or ())) or 'of nobody'}")


def _by_key() -> Actor:
    scheme, _, key = request.headers["Authorization"].partition(" ")
    found = services().people.verify_key(key.strip()) if scheme.lower() == "bearer" else None
    if found is None:
        raise _unauthorized("the API key is unknown or has expired")
    # No user's login has a colon: a key is never taken for an agent of that name.
    return Actor(f"key:{found.name}", frozenset(found.roles))


def _by_session() -> Actor:
    user = signed_in_user()
    if user is None:
        raise _unauthorized("sign in, or send an API key as `Authorization: Bearer …`")
    if request.method not in {"GET", "HEAD", "OPTIONS"}:
        _csrf.protect()
    return Actor(user.login, frozenset(user.roles))


def _unauthorized(message: str) -> Unauthorized:
    return Unauthorized(message, www_authenticate=WWWAuthenticate("bearer"))
