"""Agents at work while everything breaks: they answer, start, transfer, end, and decide what is in doubt."""

import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any

from bench.client import Answer, Client, Cut
from faults.journal import Journal
from faults.load import REGULARS
from faults.scene import AGENTS, IDLE_LINE, LINES, QUEUES, sign_in

BETWEEN = 1.5  # seconds between two rounds of an agent
AT_ONCE = 2  # conversations that are dealt with in a round
AGAIN_AFTER = 0.3  # seconds before something that was cut off is asked again
GIVE_UP_AFTER = 120.0  # seconds
LOOK_AFTER = 6.0  # seconds after a reply, whether it is in doubt
ANSWERED_ON_IDLE_LINE = 0.05  # of those that come up: the others are left to end by themselves
ENDED, TRANSFERRED, STARTED = 0.04, 0.03, 0.03  # of what an agent does


class Agent:
    """One agent, in a thread of their own."""

    def __init__(self, login: str, crew: "Crew") -> None:
        self._login = login
        self._crew = crew
        self._random = random.Random(f"{crew.seed}:{login}")
        self._clients: list[Client] = []
        self._asked = 0
        self._looks: deque[tuple[float, str]] = deque()  # when to look at which message

    def run(self) -> None:
        """Work until it is over."""
        crew = self._crew
        try:
            self._sign_in()
            while not crew.over.is_set():
                with crew.working():
                    if not crew.over.is_set():
                        self._work()
                crew.over.wait(BETWEEN)
        except (Cut, RuntimeError, ValueError) as error:
            if not crew.over.is_set():
                crew.problems.append(f"{self._login} had to give up: {error}")

    def _sign_in(self) -> None:
        self._clients = [self._signed_in(port) for port in self._crew.ports]
        path = f"/api/v1/agents/{self._login}/status"
        self._insist(lambda client: client.send("POST", path, {"status": "available"}))

    def _signed_in(self, port: int) -> Client:
        """Sign in, trying again while the process is away."""
        until = time.monotonic() + GIVE_UP_AFTER
        while True:
            try:
                return sign_in(port, self._login)
            except (Cut, RuntimeError):
                if time.monotonic() > until or self._crew.over.wait(AGAIN_AFTER):
                    raise

    def _insist(self, ask: Callable[[Client], Answer]) -> Answer:
        """Ask, now this process and now that, until an answer comes that is no failure. Raises Cut."""
        until = time.monotonic() + GIVE_UP_AFTER
        turn = self._random.randrange(len(self._clients))
        while True:
            turn += 1
            try:
                answer = ask(self._clients[turn % len(self._clients)])
                if answer.status < 500:
                    return answer
                problem = f"{answer.status}"
            except Cut as cut:
                problem = str(cut)
            self._crew.counts["asked again"] += 1
            if time.monotonic() > until:
                raise Cut(f"no answer for {GIVE_UP_AFTER:.0f} s: {problem}")
            self._crew.over.wait(AGAIN_AFTER)

    def _work(self) -> None:
        self._look_at_one()
        if self._random.random() < STARTED:
            self._start()
            return
        answer = self._insist(lambda client: client.request("GET", "/api/v1/desk"))
        if answer.status != 200:
            raise RuntimeError(f"the desk is refused: {answer.status} {answer.body[:200]!r}")
        in_hand = answer.json["conversations"]
        for conversation in self._random.sample(in_hand, min(AT_ONCE, len(in_hand))):
            self._deal_with(conversation)

    def _deal_with(self, conversation: Any) -> None:
        path = f"/api/v1/conversations/{conversation['id']}"
        luck = self._random.random()
        if conversation["our_address"] == IDLE_LINE.address:
            if luck < ANSWERED_ON_IDLE_LINE:
                self._write(f"{path}/messages", {})
        elif luck < ENDED:
            self._insist(lambda client: client.send("POST", f"{path}/end", {}))
            self._crew.counts["ended"] += 1
        elif luck < ENDED + TRANSFERRED:
            to = {"queue": self._random.choice(QUEUES)}
            if self._random.random() < 0.5:
                to = {"agent": self._random.choice(AGENTS)}
            self._insist(lambda client: client.send("POST", f"{path}/transfer", to))
            self._crew.counts["transferred"] += 1
        else:
            self._write(f"{path}/messages", {})

    def _start(self) -> None:
        line = self._random.choice(LINES)
        customer = f"+1202{5560000 + self._random.randrange(REGULARS)}"
        more = {"our_address": line.address, "customer": customer, "single": self._random.random() < 0.5}
        self._write("/api/v1/conversations", more)
        self._crew.counts["started"] += 1

    def _write(self, path: str, more: dict[str, Any]) -> None:
        """Ask for a text to be sent, again under the same key as long as nobody knows."""
        self._asked += 1
        key = f"{self._login}-{self._asked}"
        text = f"{key}: " + self._random.choice(("Yes.", "One moment {please}", "£5 €7 – done ✅"))
        crew = self._crew
        crew.journal.write("reply", text=text)
        document, headers = {"text": text, **more}, {"Idempotency-Key": key}
        answer = self._insist(lambda client: client.send("POST", path, document, headers))
        if answer.status == 201:
            message = answer.json.get("message", answer.json)["id"]
            crew.journal.write("replied", text=text, message=message.replace("-", ""))
            crew.counts["replies"] += 1
            self._looks.append((time.monotonic() + LOOK_AFTER, message))
        elif answer.status in {403, 404, 409}:
            crew.counts["refused"] += 1
        else:
            crew.problems.append(f"a reply was refused: {answer.status} {answer.body[:300]!r}")

    def _look_at_one(self) -> None:
        """Look whether an earlier reply is in doubt, and decide about some."""
        if not self._looks or self._looks[0][0] > time.monotonic():
            return
        _, message = self._looks.popleft()
        answer = self._insist(lambda client: client.request("GET", f"/api/v1/messages/{message}"))
        if answer.status != 200 or answer.json["status"] != "in_doubt" or self._random.random() < 0.5:
            return
        resolution = self._random.choice(("resend", "sent", "drop"))
        document = {"resolution": resolution, "why": "the fault run decided so"}
        path = f"/api/v1/messages/{message}/resolve"
        done = self._insist(lambda client: client.send("POST", path, document))
        self._crew.counts[f"resolved: {resolution}"] += done.status == 200


class Crew:
    """All agents, who can be told to pause."""

    def __init__(self, journal: Journal, ports: Sequence[int], seed: int) -> None:
        self.journal = journal
        self.ports = ports
        self.seed = seed
        self.over = threading.Event()
        self.counts: Counter[str] = Counter()
        self.problems: list[str] = []
        self._going = threading.Event()
        self._busy = 0
        self._idle = threading.Condition()
        self._threads = [
            threading.Thread(target=Agent(login, self).run, daemon=True, name=login) for login in AGENTS
        ]

    def start(self) -> None:
        """Let them sign in; they work from the first `resume` on."""
        for thread in self._threads:
            thread.start()

    def resume(self) -> None:
        """Let them work."""
        self._going.set()

    def pause(self, within: float) -> bool:
        """Let them finish what they are doing; False when they do not in time."""
        self._going.clear()
        with self._idle:
            return self._idle.wait_for(lambda: self._busy == 0, within)

    def stop(self) -> None:
        """End for good."""
        self.over.set()
        self._going.set()
        for thread in self._threads:
            thread.join(GIVE_UP_AFTER / 4)

    def working(self) -> "_Working":
        """For as long as an agent does something."""
        return _Working(self)

    def begin(self) -> None:
        """An agent begins, as soon as they may."""
        while True:
            self._going.wait()
            with self._idle:
                if self._going.is_set():
                    self._busy += 1
                    return

    def end(self) -> None:
        """An agent has done it."""
        with self._idle:
            self._busy -= 1
            self._idle.notify_all()


class _Working:
    def __init__(self, crew: Crew) -> None:
        self._crew = crew

    def __enter__(self) -> None:
        self._crew.begin()

    def __exit__(self, *exc: object) -> None:
        self._crew.end()
