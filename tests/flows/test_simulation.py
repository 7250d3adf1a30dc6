"""Weeks of nonsense in seconds: everybody does anything, everything fails, and the promises hold.

Seeded and in one thread: what happened once can be looked at again.
"""

import random
from collections import defaultdict
from typing import Any

import pytest

from contracts.far_end import Fault
from domain.messages import Message
from projections.rebuild import rebuild
from tests.flows.pools import LostPool
from tests.flows.stage import SALES, SUPPORT, Agent, Json, Stage

CUSTOMERS = [f"+1202555011{number}" for number in range(6)]
FAULTS = [each for each in Fault if each not in (Fault.HANG, Fault.SLOW)]  # those only take time
WORDS = ["hello"] * 12 + ["STOP", "START", "HELP"]
RECEIPTS = ["queued", "sent", "delivered", "undelivered", "failed", "read"]
GONE = {"accepted", "queued", "sent", "delivered", "read", "undelivered"}
NEVER = {"suppressed", "rejected", "blocked", "expired"}
WAITING = {"requested", "postponed", "attempting"}


class Simulation:
    """A stage on which anything happens."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.stage = stage
        self.random = random.Random(seed)
        self.sent: dict[tuple[str, str], list[str]] = defaultdict(list)  # by thread: the texts' SIDs
        self.webhooks: list[tuple[str, str, str, str]] = []
        self.agents = [stage.agent("ana", ["SUPPORT"], 3, 5), stage.agent("ben", ["SUPPORT", "SALES"], 2)]
        self.replies = 0

    def live(self, steps: int) -> None:
        """Let so many things happen, then time pass until all is over."""
        chances = {
            self.text: 30, self.repeat: 4, self.reply: 30, self.end: 6, self.transfer: 6, self.status: 4,
            self.start: 6, self.report: 20, self.fail: 8, self.wait: 20, self.restart: 2, self.crash: 1,
            self.limit: 2,
        }  # fmt: skip
        for act in self.random.choices(list(chances), list(chances.values()), k=steps):
            act()
        self.stage.twilio.heal()
        self.stage.settle()
        self.stage.pass_seconds(2 * 3600, every=60)

    # ── what may happen ────────────────────────────────────────────────────────────────────────

    def text(self) -> None:
        customer, ours = self.random.choice(CUSTOMERS), self.random.choice([SUPPORT, SALES])
        words = self.random.choice(WORDS)
        settle = self.random.random() < 0.7
        sid = self.stage.text(customer, words, ours, settle=settle)
        self.sent[ours, customer].append(sid)
        self.webhooks.append((customer, words, ours, sid))

    def repeat(self) -> None:
        if self.webhooks:
            customer, words, ours, sid = self.random.choice(self.webhooks)
            self.stage.text(customer, words, ours, MessageSid=sid, SmsSid=sid)

    def reply(self) -> None:
        agent = self.random.choice(self.agents)
        if found := self._in_hand(agent):
            self._ask(agent, f"/conversations/{found['id']}/messages", {"text": self._words()}, keyed=True)

    def end(self) -> None:
        agent = self.random.choice(self.agents)
        if found := self._in_hand(agent):
            self._ask(agent, f"/conversations/{found['id']}/end", {})

    def transfer(self) -> None:
        agent = self.random.choice(self.agents)
        to = self.random.choice([{"queue": "SUPPORT"}, {"queue": "SALES"}, {"agent": "ben"}])
        if found := self._in_hand(agent):
            self._ask(agent, f"/conversations/{found['id']}/transfer", to)

    def status(self) -> None:
        agent = self.random.choice(self.agents)
        status = self.random.choice(["available", "available", "away", "offline"])
        requeue = self.random.random() < 0.5
        self._ask(agent, f"/agents/{agent.login}/status", {"status": status, "requeue": requeue})

    def start(self) -> None:
        agent, customer = self.random.choice(self.agents), self.random.choice(CUSTOMERS)
        document = {"our_address": self.random.choice([SUPPORT, SALES]), "customer": customer}
        single = self.random.random() < 0.5
        more = {"text": self._words(), "single": single}
        self._ask(agent, "/conversations", document | more, keyed=True)

    def report(self) -> None:
        if accepted := self.stage.twilio.accepted:
            sid = self.random.choice(accepted)["sid"]
            self.stage.receipt(sid, self.random.choice(RECEIPTS), copies=self.random.choice([1, 1, 2]))

    def fail(self) -> None:
        self.stage.twilio.fail_next(self.random.choice(FAULTS), self.random.choice([1, 1, 3]))

    def wait(self) -> None:
        self.stage.pass_seconds(self.random.choice([1, 5, 30, 120, 400]), every=20)

    def restart(self) -> None:
        self._start_again(None)

    def crash(self) -> None:
        """The process stops between the intent and the send of whatever is asked for meanwhile."""
        self._start_again(LostPool())
        for _ in range(3):
            self.reply()
        self._start_again(None)

    def limit(self) -> None:
        self.stage.modify(chat_control={"max_chats": self.random.choice([None, 2, 4])})

    # ── how ────────────────────────────────────────────────────────────────────────────────────

    def _words(self) -> str:
        self.replies += 1
        return f"reply {self.replies}"

    def _in_hand(self, agent: Agent) -> Json | None:
        found = agent.get("/desk")["conversations"]
        return self.random.choice(found) if found else None

    def _ask(self, agent: Agent, path: str, document: Json, *, keyed: bool = False) -> None:
        key = {"Idempotency_Key": self.stage.new_key()} if keyed else {}
        answer = agent.ask("POST", path, document, **key)
        assert answer.status_code < 500, answer.get_data(as_text=True)

    def _start_again(self, pool: LostPool | None) -> None:
        self.stage.restart(pool)
        self.agents = [self.stage.signed_in(each.login) for each in self.agents]


def messages(stage: Stage) -> list[Message]:
    """Every message there is, in the order of the store."""
    begun = (Message.Received, Message.Requested)
    ids = [
        each.event.originator_id
        for each in stage.platform.store.read(0, 1_000_000)
        if isinstance(each.event, begun)
    ]
    found = stage.platform.store.load(set(ids))
    return [each for each in map(found.get, ids) if isinstance(each, Message)]


def rows(stage: Stage) -> dict[str, list[dict[str, Any]]]:
    """All that the views hold."""
    views = stage.platform.storage.views
    tables = views.tables()
    with views.reading() as cursor:
        return {name: sorted(cursor.all(f"SELECT * FROM {name}"), key=repr) for name in tables}  # noqa: S608 - our own names


def check_texts(simulation: Simulation, everything: list[Message]) -> None:
    """Every customer's text was taken in once, in the order of acceptance."""
    ids = simulation.stage.platform.ids
    received = [each for each in everything if each.attempt == 0 and each.provider_message_id]
    for (ours, customer), sids in simulation.sent.items():
        thread_id = ids.thread(ours, customer)
        assert [each.provider_message_id for each in received if each.thread_id == thread_id] == sids


def check_replies(stage: Stage, everything: list[Message]) -> None:
    """No reply went twice or out of order, and each says what became of it."""
    numbers: dict[tuple[str, str], list[int]] = defaultdict(list)
    for each in stage.twilio.accepted:
        if each["body"].startswith("reply "):
            numbers[each["from"], each["to"]].append(int(each["body"].removeprefix("reply ")))
    assert numbers
    for sent in numbers.values():
        assert sent == sorted(set(sent))
    ledger = stage.ledger()
    for message in everything:
        if message.text.startswith("reply "):
            went = message.text in ledger
            assert message.status not in (NEVER if went else GONE), (message.text, message.status)
            assert message.status not in WAITING, (message.text, message.status)


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_happens_the_promises_hold(stage: Stage, seed: int) -> None:
    simulation = Simulation(stage, seed)
    simulation.live(120)
    everything = messages(stage)
    check_texts(simulation, everything)
    check_replies(stage, everything)
    assert stage.platform.parking.parked() == []
    found = stage.admin.get("/conversations?limit=200")["items"]
    assert {each["state"] for each in found} <= {"ended", "refused"}
    assert [each["in_hand"] for each in stage.admin.get("/agents")["items"]] == [0, 0]
    before = rows(stage)
    names = [each.name for each in stage.platform.views.projections]
    rebuild(stage.platform.views, stage.platform.store, names, lambda *_: None)
    assert rows(stage) == before
