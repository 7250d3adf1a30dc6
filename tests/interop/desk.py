"""An agent at the desk of a Parley that runs as a process: everything by its API."""

from collections.abc import Callable
from itertools import count
from typing import Any, TypeVar
from urllib.parse import quote

from api.answers import POSITION_HEADER
from bench.client import Client
from bench.programs import ADMIN_KEY, Parley
from bench.scene import PASSWORD, sign_in
from tests.servers.process import wait_until

SECONDS = 20
LOGIN = "interop"

Json = dict[str, Any]
T = TypeVar("T")


class Desk:
    """Somebody who can sign in, has the skill and is available; and an admin, for the mappings."""

    def __init__(self, parley: Parley) -> None:
        self._admin = Client(parley.port, {"Authorization": f"Bearer {ADMIN_KEY}"})
        agent = {"login": LOGIN, "name": LOGIN, "skills": ["SUPPORT"], "room": 50, "wrap_up_seconds": 0}
        user = {"login": LOGIN, "name": LOGIN, "roles": ["agent"], "password": PASSWORD}
        for path, document in (("agents", agent), ("users", user)):
            self._admin.need("POST", f"/api/v1/{path}", document)
        self.client = sign_in(parley.port, LOGIN)
        self._keys = count(1)
        self._position = 0  # of the last command
        self.client.need("POST", f"/api/v1/agents/{LOGIN}/status", {"status": "available", "requeue": False})

    def close(self) -> None:
        """Leave."""
        self._admin.close()
        self.client.close()

    def add_mapping(self, mapping: Json) -> None:
        """Add a mapping, as an admin does; wait until it is seen, and bound if it is one by SMPP."""
        self._send("/mappings", mapping, self._admin)
        self._seen("/api/v1/desk")
        if mapping["kind"] == "smpp":
            self._wait(lambda: self._is_bound(mapping["code"]), f"the connection of {mapping['code']}")

    def _is_bound(self, code: str) -> bool:
        parts = self._admin.need("GET", "/api/v1/health")["items"]
        return any(each["name"] == f"connections of {code}" and each["ok"] for each in parts)

    def delete_mapping(self, code: str) -> None:
        """Remove a mapping, as soon as its conversations are seen to have ended: it is unbound."""

        def is_deleted() -> bool:
            answer = self._admin.request("DELETE", f"/api/v1/mappings/{code}", headers={"If-Match": "*"})
            return answer.status == 204

        wait_until(is_deleted, seconds=SECONDS, what=f"the removal of {code}")

    # ── conversations ──────────────────────────────────────────────────────────────────────────

    def conversation_with(self, customer: str, our_address: str) -> Json:
        """Wait for the open conversation between the two that is in the agent's hands."""
        return self._wait(lambda: self._open(customer, our_address), f"a conversation with {customer}")

    def hears(self, customer: str, our_address: str, text: str) -> Json:
        """Wait until the customer has written this in the open conversation; the conversation."""

        def heard() -> Json | None:
            found = self._open(customer, our_address)
            return found if found and text in said_by_customer(found) else None

        return self._wait(heard, f"{_short(text)} at the desk")

    def hears_back(self, customer: str, our_address: str, text: str) -> None:
        """Wait until what went to the customer has come back. Its parts may come as texts of their own."""

        def heard() -> bool:
            found = self._open(customer, our_address)
            return found is not None and text in "".join(said_by_customer(found))

        self._wait(heard, f"{_short(text)} back at the desk")

    def reply(self, conversation: Json, text: str) -> Json:
        """Answer."""
        return self._send(f"/conversations/{conversation['id']}/messages", {"text": text})

    def start(self, customer: str, our_address: str, text: str) -> Json:
        """Start a conversation; its first message."""
        document = {"customer": customer, "text": text, "our_address": our_address}
        started = self._send("/conversations", document)
        message: Json = started["message"]
        return message

    def end(self, customer: str, our_address: str) -> None:
        """End the conversation, if one is open."""
        found = self._open(customer, our_address)
        if found:
            self._send(f"/conversations/{found['id']}/end", {})

    def becomes(self, message: Json, *statuses: str) -> None:
        """Wait until a message of ours has one of these statuses."""
        now: list[Json] = []

        def is_so() -> bool:
            now.append(self._seen(f"/api/v1/messages/{message['id']}"))
            return now[-1]["status"] in statuses

        try:
            self._wait(is_so, "")
        except TimeoutError:
            detail = "; ".join(each["detail"] or "" for each in now[-1]["attempts"])
            problem = f"the message is {now[-1]['status']}, not {' or '.join(statuses)} {detail}"
            raise TimeoutError(problem.rstrip()) from None

    def is_kept_as_unrouted(self, text: str) -> None:
        """Wait until a text stands among those that no route is for."""
        self._wait(
            lambda: any(
                each["text"] == text for each in self._admin.need("GET", "/api/v1/unrouted")["items"]
            ),
            f"{_short(text)} among the unrouted texts",
        )

    def _open(self, customer: str, our_address: str) -> Json | None:
        found = self._seen(f"/api/v1/conversations?customer={quote(customer)}")["items"]
        for each in found:
            if each["our_address"] == our_address and each["state"] == "assigned":
                return self._seen(f"/api/v1/conversations/{each['id']}")
        return None

    def _send(self, path: str, document: Json, client: Client | None = None) -> Json:
        key = {"Idempotency-Key": f"interop-{next(self._keys)}"}
        answer = (client or self.client).send("POST", f"/api/v1{path}", document, key)
        if not 200 <= answer.status < 300:
            raise RuntimeError(f"POST {path}: {answer.status} {answer.body.decode()[:300]}")
        self._position = int(answer.headers[POSITION_HEADER])
        sent: Json = answer.json if answer.body else {}
        return sent

    def _seen(self, path: str) -> Json:
        """What is there, with all that was done here before."""
        seen: Json = self.client.need("GET", f"{path}{'&' if '?' in path else '?'}after={self._position}")
        return seen

    def _wait(self, look: Callable[[], T | None], what: str) -> T:
        found: list[T] = []

        def is_there() -> bool:
            found.extend(each for each in [look()] if each)
            return bool(found)

        wait_until(is_there, seconds=SECONDS, what=what)
        return found[0]


def said_by_customer(conversation: Json) -> list[str]:
    """What the customer wrote in a conversation."""
    return [each["text"] for each in conversation["messages"] if each["sender"] == "customer"]


def _short(text: str) -> str:
    return f"“{text[:20]}…”" if len(text) > 20 else f"“{text}”"
