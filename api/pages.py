"""Pages for people: signing in, the desk, and the replay of a conversation."""

from typing import Any
from uuid import UUID

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import TooManyRequests, Unauthorized

from adapters.accounts import Role, User
from api.access import sees_all, visible_conversation
from api.auth import allow, check_csrf, current_actor, end_session, public, sign_in, signed_in_user
from api.demo import handset_values
from api.page_parts import START, local_path, page, person, show_refusals
from api.services import services
from domain.commands import Actor
from domain.replay import Replay, Timeline
from projections.history_documents import ConversationView
from projections.history_queries import Filters, HistoryQueries

RECENT = 50  # conversations on the list

pages = Blueprint("pages", __name__)
show_refusals(pages)


@pages.get("/")
@public
def start() -> ResponseReturnValue:
    """The demo, where there is one; else what the person signed in has to do."""
    user = signed_in_user()
    if services().demo:
        recent = _recent(user) if user else ()
        return page("demo.html", next=START, recent=recent, **handset_values())
    if user is None:
        return redirect(url_for("pages.sign_in_page"), 303)
    return redirect(url_for("pages.desk" if Role.AGENT in user.roles else "pages.conversations"), 303)


@pages.get("/signin")
@public
def sign_in_page() -> ResponseReturnValue:
    """The form to sign in with."""
    return page("signin.html", next=local_path(request.args.get("next", START)), login="")


@pages.post("/signin")
@public
def sign_in_with_password() -> ResponseReturnValue:
    """Sign in; after a failure everything but the password is still there."""
    check_csrf()
    login, wanted = request.form.get("login", ""), local_path(request.form.get("next", START))
    try:
        sign_in(login, request.form.get("password", ""))
    except (Unauthorized, TooManyRequests) as error:
        problem = f"{error.description}".capitalize()
        return page("signin.html", error.code or 401, next=wanted, login=login, problem=problem)
    return redirect(wanted, 303)


@pages.post("/signout")
@allow(*Role)
def sign_out() -> ResponseReturnValue:
    """Sign out."""
    end_session()
    return redirect(START, 303)


@pages.get("/desk")
@allow(Role.AGENT)
def desk() -> ResponseReturnValue:
    """The agent's desk."""
    person()
    return page("desk.html")


@pages.get("/conversations")
@allow(*Role)
def conversations() -> ResponseReturnValue:
    """The newest conversations, to replay."""
    return page("conversations.html", recent=_recent(person()))


@pages.get("/conversations/<uuid:id>")
@allow(*Role)
def conversation(id: UUID) -> ResponseReturnValue:
    """The replay of a conversation, for those who may see it. Raises NotFound, Forbidden."""
    found = visible_conversation(current_actor(), id)
    here = services()
    messages = [message.id for message in HistoryQueries(here.views).messages(id)]
    timeline = Replay(here.store, here.ids).timeline(id, messages)
    customer = found.customer_address
    return page(
        "conversation.html", customer=customer, facts=_facts(found, timeline), entries=timeline.entries
    )


def _recent(user: User) -> tuple[ConversationView, ...]:
    """The newest conversations that the person may see: an agent's are those they had last."""
    agent = None if sees_all(Actor(user.login, frozenset(user.roles))) else user.login
    return HistoryQueries(services().views).search(Filters(agent=agent), None, RECENT).items


def _facts(found: ConversationView, timeline: Timeline) -> dict[str, Any]:
    """The conversation as it is now, and the configuration that it began under."""
    terms, settings = timeline.terms, timeline.configuration
    control = terms.chat_control
    facts = {
        "State": found.outcome or found.state,
        "Number": f"{found.display_name} {found.our_address}".strip(),
        "Queue": found.queue,
        "Agent": found.agent,
        "Work code": found.work_code,
        "Mapping then in force": f"{terms.mapping_code}, version {terms.mapping_version}",
        "Provider": settings.provider_name if settings else None,
        "Idle timeout": f"{control.idle_timeout_minutes} minutes",
        "System messages": "suppressed" if control.suppress_system_messages else "sent",
        "Maximum chats": control.max_chats or "none",
    }
    return {name: value for name, value in facts.items() if value}
