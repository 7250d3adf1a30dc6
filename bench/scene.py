"""What is set up before anything is measured: two numbers at the fake Twilio, their queues, and agents."""

from dataclasses import dataclass
from typing import Protocol

from bench.client import Client
from bench.programs import ADMIN_KEY, Twilio
from tests.fakes.twilio_state import ACCOUNT_SID, AUTH_TOKEN

NUMBERS = ("+15005550006", "+15005550007")
QUEUES = ("SUPPORT", "SALES")
MAPPING = "TW-BENCH"
WEBHOOK = f"/ingress/rest/{MAPPING}"
PASSWORD = "a password for measuring"  # noqa: S105 - of agents in a folder that is thrown away
MOST_ROOM = 50


class Served(Protocol):
    """A Parley that answers: one process, or the API of a cluster."""

    port: int
    url: str


@dataclass(frozen=True)
class Scene:
    """What was set up."""

    webhook_url: str
    agents: tuple[str, ...]


def set_up(parley: Served, twilio: Twilio, customers: int) -> Scene:
    """Set up, by the API, as many agents as can have all customers' conversations in hand at once."""
    client = _admin(parley)
    for code in QUEUES:
        client.need("POST", "/api/v1/queues", {"code": code, "name": code.title()})
    agents = tuple(f"agent-{number}" for number in range(1, 2 + customers // MOST_ROOM))
    for login in agents:
        add_agent(parley, login)
    client.need("POST", "/api/v1/mappings", _mapping(twilio.url))
    return Scene(parley.url + WEBHOOK, agents)


def add_agent(parley: Served, login: str) -> None:
    """Add somebody who can sign in and answer."""
    client = _admin(parley)
    agent = {"login": login, "name": login, "skills": QUEUES, "room": MOST_ROOM, "wrap_up_seconds": 0}
    client.need("POST", "/api/v1/agents", agent)
    user = {"login": login, "name": login, "roles": ["agent"], "password": PASSWORD}
    client.need("POST", "/api/v1/users", user)


def _admin(parley: Served) -> Client:
    return Client(parley.port, {"Authorization": f"Bearer {ADMIN_KEY}"})


def _mapping(api_base: str) -> dict[str, object]:
    return {
        "kind": "rest",
        "code": MAPPING,
        "status": "active",
        "default_country": "US",
        "provider": "twilio",
        "credentials": {"user_name": ACCOUNT_SID, "password": AUTH_TOKEN},
        "chat_control": {"idle_timeout_minutes": 60},
        "options": {"segments_per_second": 2000, "api_base": api_base},
        "routes": [
            {"address": address, "display_name": queue.title(), "skill_queue": queue}
            for address, queue in zip(NUMBERS, QUEUES, strict=True)
        ],
    }


def sign_in(port: int, login: str) -> Client:
    """A client as which an agent is signed in. Raises Cut, RuntimeError."""
    client = Client(port)
    answer = client.send("POST", "/api/v1/session", {"login": login, "password": PASSWORD})
    if answer.status != 201:
        raise RuntimeError(f"{login} cannot sign in: {answer.status} {answer.body.decode()[:300]}")
    client.headers["Cookie"] = answer.headers["Set-Cookie"].partition(";")[0]
    client.headers["X-CSRFToken"] = answer.json["csrf_token"]
    return client
