"""What is set up before anything goes wrong: two numbers, their queue, and agents."""

from dataclasses import dataclass

from bench.client import Client
from tests.fakes.twilio_state import ACCOUNT_SID, AUTH_TOKEN

ADMIN_KEY = "parley-fault-run-admin-key-0123456789abcdef"
QUEUES = ("SUPPORT", "SALES")
PASSWORD = "a password of the fault run"  # noqa: S105 - of agents in a folder that is thrown away
AGENTS = tuple(f"agent-{number}" for number in range(1, 9))
ROOM = 50


@dataclass(frozen=True)
class Line:
    """One of our numbers."""

    mapping: str
    address: str
    idle_minutes: int


LINES = (Line("TW-LONG", "+15005550006", 60), Line("TW-SHORT", "+15005550007", 1))
IDLE_LINE = LINES[1]
"""Where conversations end when nobody writes for a minute."""


def set_up(port: int, provider_url: str) -> None:
    """Set everything up, by the API. Raises RuntimeError, Cut."""
    client = Client(port, {"Authorization": f"Bearer {ADMIN_KEY}"}, timeout=30)
    for code in QUEUES:
        client.need("POST", "/api/v1/queues", {"code": code, "name": code.title()})
    for login in AGENTS:
        agent = {"login": login, "name": login, "skills": QUEUES, "room": ROOM, "wrap_up_seconds": 0}
        client.need("POST", "/api/v1/agents", agent)
        user = {"login": login, "name": login, "roles": ["agent"], "password": PASSWORD}
        client.need("POST", "/api/v1/users", user)
    for line, queue in zip(LINES, QUEUES, strict=True):
        client.need("POST", "/api/v1/mappings", _mapping(line, queue, provider_url))


def _mapping(line: Line, queue: str, provider_url: str) -> dict[str, object]:
    return {
        "kind": "rest",
        "code": line.mapping,
        "status": "active",
        "default_country": "US",
        "provider": "twilio",
        "credentials": {"user_name": ACCOUNT_SID, "password": AUTH_TOKEN},
        "chat_control": {
            "idle_timeout_minutes": line.idle_minutes,
            "idle_timeout_message": "Nobody has written for a while, so this chat is closed.",
        },
        "options": {"segments_per_second": 2000, "api_base": provider_url},
        "routes": [{"address": line.address, "display_name": queue.title(), "skill_queue": queue}],
    }


def sign_in(port: int, login: str) -> Client:
    """A client as which an agent is signed in. Raises Cut, RuntimeError."""
    client = Client(port, timeout=10)
    answer = client.send("POST", "/api/v1/session", {"login": login, "password": PASSWORD})
    if answer.status != 201:
        raise RuntimeError(f"{login} cannot sign in: {answer.status} {answer.body.decode()[:300]}")
    client.headers["Cookie"] = answer.headers["Set-Cookie"].partition(";")[0]
    client.headers["X-CSRFToken"] = answer.json["csrf_token"]
    return client
