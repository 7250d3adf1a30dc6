"""What exists only in the demo: signing in with one click, and the customer's handset.

Registered only when the demo runs, and only for this machine: a request that comes through a tunnel or a
proxy names another host, and is refused like one from another address.
"""

import ipaddress
import json
import secrets
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from flask import Blueprint, Response, jsonify, redirect, request
from flask.typing import ResponseReturnValue
from pydantic import Field

from adapters.accounts import Role, User, UserDraft
from adapters.providers.simulator import (
    BUSY,
    LOST_ANSWER,
    NOT_DELIVERED,
    ON_OPT_OUT_LIST,
    REFUSED,
    SIGNATURE,
    SimulatorProvider,
    sign,
)
from api.answers import LARGEST_NUMBER, Document
from api.auth import begin_session, check_csrf, public
from api.documents import message_document
from api.ingress import accept
from api.page_parts import local_path, show_refusals
from api.services import services
from domain.errors import Forbidden, NotFound
from domain.providers import WebhookRequest
from domain.replay import Entry, Replay
from projections.configuration_queries import ConfigurationQueries, RouteView
from projections.handset_queries import HandsetQueries, on_the_handset
from projections.history_documents import MessageView
from projections.history_queries import HistoryQueries

TEXTS = 200  # of a thread, on the handset
EVENTS = 30  # of a conversation, beside it
LONGEST_WAIT = 2.0  # seconds that an answer waits for news

_AREA = "+1202555"
SPECIAL_HANDSETS = {
    _AREA + NOT_DELIVERED: "The carrier takes a reply, then reports it undelivered.",
    _AREA + LOST_ANSWER: "The carrier's answer gets lost: a reply is in doubt, and the agent decides.",
    _AREA + ON_OPT_OUT_LIST: "On the carrier's own opt-out list: a reply is refused, the customer opted out.",
    _AREA + REFUSED: "The carrier refuses a reply to this number.",
    _AREA + BUSY: "The carrier is always busy: a reply is tried again until its time is over.",
}

demo = Blueprint("demo", __name__, url_prefix="/demo")
show_refusals(demo)
handset = Blueprint("handset", __name__, url_prefix="/demo/handset")


@demo.before_request
@handset.before_request
def _from_this_machine() -> None:
    """Raises Forbidden."""
    name = urlsplit(f"//{request.host}").hostname or ""
    if not (_is_loopback(request.remote_addr or "") and (name == "localhost" or _is_loopback(name))):
        raise Forbidden("the demo is for this machine only: open it as http://localhost")


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


# ── signing in ─────────────────────────────────────────────────────────────────────────────────


@demo.post("/sign-in")
@public
def sign_in_as() -> ResponseReturnValue:
    """Sign in as one of the demo's people, without a password. Raises NotFound."""
    check_csrf()
    begin_session(_person(request.form.get("login", "")))
    return redirect(local_path(request.form.get("next", "/")), 303)


def _person(login: str) -> User:
    people = services().people
    if login not in services().demo_people:
        raise NotFound(f"nobody of the demo is called {login}")
    user = people.user(login)
    if user is None:
        name, roles = services().demo_people[login]
        unknown = secrets.token_urlsafe()
        people.add_user(UserDraft(login, name, frozenset(Role(each) for each in roles), unknown))
        user = people.user(login)
    if user is None or user.disabled:
        raise Forbidden(f"{login} may not sign in any more")
    return user


# ── the handset ────────────────────────────────────────────────────────────────────────────────


class Text(Document):
    """A text that the customer writes. The same id again is the same text."""

    id: str = Field(min_length=16, max_length=64)
    customer: str
    number: str
    text: str = Field(max_length=10_000)


def handset_values() -> dict[str, Any]:
    """What the handset on the page is made of."""
    return {
        "handsets": services().demo_handsets,
        "special_handsets": SPECIAL_HANDSETS,
        "handset_numbers": _numbers(),
    }


@handset.get("")
@public
def thread() -> ResponseReturnValue:
    """The thread as the customer's phone shows it, and what happened behind it.

    With `after` the answer waits a little for news; without any it is 204.
    """
    here = services()
    customer, number = _parties(request.args.get("customer", ""), request.args.get("number", ""))
    after = request.args.get("after", type=int)
    if after is not None and not here.views.wait_beyond(min(after, LARGEST_NUMBER), LONGEST_WAIT):
        return Response(status=204)
    position = min(here.views.positions().values())  # read first: what comes meanwhile comes again
    texts = HandsetQueries(here.views).texts(here.ids.thread(number, customer), TEXTS)
    conversation_id = next((each.conversation_id for each in reversed(texts) if each.conversation_id), None)
    return jsonify(
        position=position,
        texts=[_shown(each) for each in texts if on_the_handset(each)],
        conversation_id=conversation_id,
        happened=[_told(each) for each in _happened(conversation_id)],
    )


@handset.post("/texts")
@public
def send() -> ResponseReturnValue:
    """Let the customer text: signed and posted as any provider's webhook, through the same code."""
    check_csrf()
    text = Text.model_validate(request.get_json())
    customer, number = _parties(text.customer, text.number)
    code = next(route.mapping_code for route in _numbers() if route.address == number)
    account = services().accounts.of(services().accounts.mapping(code))
    words = {"id": text.id, "from": customer, "to": number, "text": text.text}
    body = json.dumps(words).encode()
    signature = sign(account.credentials["password"], body)
    accept(code, WebhookRequest(account.webhook_url, {SIGNATURE: signature}, body, is_status=False))
    return Response(status=204)


def _numbers() -> list[RouteView]:
    """The numbers that the simulated carrier serves, in order: a conversation waits on the first."""
    routes = ConfigurationQueries(services().views).routes()
    simulated = [each for each in routes if _is_simulated(each.mapping_code)]
    return sorted(simulated, key=lambda each: each.address)


def _is_simulated(code: str) -> bool:
    return services().accounts.mapping(code).settings.provider_name == SimulatorProvider.name


def _parties(customer: str, number: str) -> tuple[str, str]:
    if customer not in (*services().demo_handsets, *SPECIAL_HANDSETS):
        raise NotFound(f"the demo has no handset {customer}")
    if number not in {route.address for route in _numbers()}:
        raise NotFound(f"the simulated carrier has no number {number}")
    return customer, number


def _happened(conversation_id: UUID | None) -> tuple[Entry, ...]:
    if conversation_id is None:
        return ()
    here = services()
    messages = [each.id for each in HistoryQueries(here.views).messages(conversation_id)]
    return Replay(here.store, here.ids).timeline(conversation_id, messages).entries[-EVENTS:]


def _shown(message: MessageView) -> dict[str, Any]:
    return message_document(message).model_dump(
        mode="json", include={"id", "direction", "sender", "purpose", "text", "at", "status"}
    )


def _told(entry: Entry) -> dict[str, Any]:
    return {"at": entry.at.isoformat(), "kind": entry.kind, "who": entry.who, "sentence": entry.sentence}
