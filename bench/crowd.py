"""Those who talk to Parley while it is killed under them: the provider that posts, and the agents."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from bench.client import Answer, Client, Cut
from bench.scene import WEBHOOK, Scene, sign_in
from bench.webhooks import Text, signed

AGAIN_AFTER = 0.1  # seconds before something that was cut off is tried again
AT_ONCE = 4  # conversations that an agent answers between two looks at the desk
BETWEEN_REPLIES = 0.2
ENDS = 0.03  # of the conversations that an agent looks at
WORDS = ("Yes.", "One moment please.", "£5 €7 – done ✅", "Thanks {friend} ~ bye ^_^", "Of course! 👍🏽")


@dataclass
class Posted:
    """A text and what became of its posts, on the monotonic clock."""

    text: Text
    begun: float = 0.0  # the first post
    accepted: float = 0.0  # the first answer 2xx
    posts: int = 0


@dataclass(frozen=True)
class Reply:
    """A reply that was asked for and confirmed."""

    message_id: str
    text: str


class Switch:
    """What everybody heeds: whether Parley is up, that nothing new is to begin, that all is over."""

    def __init__(self) -> None:
        self.up = threading.Event()
        self.closing = threading.Event()
        self.over = threading.Event()
        self.problems: list[str] = []

    def pause(self, seconds: float) -> None:
        """Wait, but not beyond the end."""
        self.over.wait(seconds)

    def insist(self, ask: Callable[[], Answer]) -> Answer:
        """Ask until a whole answer comes that is not a failure of the server's. Raises Cut at the end."""
        while True:
            try:
                self.up.wait(1.0)
                answer = ask()
                if answer.status < 500:
                    return answer
            except Cut:
                if self.over.is_set():
                    raise
            self.pause(AGAIN_AFTER)
            if self.over.is_set():
                raise Cut("it is over")


@dataclass
class Poster:
    """Posts texts as Twilio does: one without a 2xx again, as its fallback would. Many threads share one."""

    port: int
    scene: Scene
    switch: Switch
    jobs: Sequence[Posted]
    in_flight: int = 0
    done: int = 0
    allowed: int = 0  # of the jobs; the others wait
    pace: float = 0.0  # seconds between two posts of a thread; 0: as fast as it goes
    lock: threading.Lock = field(default_factory=threading.Lock)
    _next: int = 0

    def run(self) -> None:
        """Post what nobody else has taken yet."""
        client = Client(self.port)
        while not self.switch.over.is_set() and self._next < len(self.jobs):
            job = self._take()
            if job is None:
                self.switch.pause(0.005)
                continue
            try:
                self._post(client, job)
            except Cut:
                return
            self.switch.pause(self.pace)

    def _take(self) -> Posted | None:
        with self.lock:
            if self._next >= min(self.allowed, len(self.jobs)):
                return None
            self._next += 1
            return self.jobs[self._next - 1]

    def _post(self, client: Client, job: Posted) -> None:
        answer = self.switch.insist(lambda: self._once(client, job))
        if not 200 <= answer.status < 300:
            self.switch.problems.append(f"text {job.text.sid} was refused: {answer.status} {answer.body!r}")
            return
        with self.lock:
            job.accepted = job.accepted or time.monotonic()
            self.done += 1

    def _once(self, client: Client, job: Posted) -> Answer:
        form = job.text.form()
        with self.lock:
            job.begun = job.begun or time.monotonic()
            job.posts += 1
            self.in_flight += 1
            if job.posts > 1 and not job.accepted:
                form |= {"ErrorCode": "11200", "ErrorUrl": self.scene.webhook_url}
        headers, body = signed(self.scene.webhook_url, form)
        try:
            return client.request("POST", WEBHOOK, body, headers)
        finally:
            with self.lock:
                self.in_flight -= 1


class Agent:
    """Looks at the desk and answers; ends a conversation now and then."""

    def __init__(self, port: int, login: str, switch: Switch, seed: int) -> None:
        self.replies: list[Reply] = []
        self.refused = 0  # the customer opted out, or the conversation was gone: as it should be
        self.cut = 0  # asked again under the same key
        self._port = port
        self._login = login
        self._switch = switch
        self._random = random.Random(f"{seed}:{login}")
        self._asked = 0

    def run(self) -> None:
        """Work until it is over."""
        try:
            client = sign_in(self._port, self._login)
            self._become_available(client)
            while not self._switch.closing.is_set():
                self._work(client)
        except (Cut, RuntimeError) as error:
            if not self._switch.over.is_set():
                self._switch.problems.append(f"{self._login} had to give up: {error}")

    def _become_available(self, client: Client) -> None:
        path = f"/api/v1/agents/{self._login}/status"
        answer = self._switch.insist(lambda: client.send("POST", path, {"status": "available"}))
        if answer.status != 204:
            raise RuntimeError(f"{answer.status} {answer.body.decode()[:300]}")

    def _work(self, client: Client) -> None:
        desk = self._switch.insist(lambda: client.request("GET", "/api/v1/desk")).json
        in_hand = [each["id"] for each in desk["conversations"]]
        for conversation in self._random.sample(in_hand, min(AT_ONCE, len(in_hand))):
            if self._switch.closing.is_set():
                return
            if self._random.random() < ENDS:
                path = f"/api/v1/conversations/{conversation}/end"
                self._switch.insist(partial(client.send, "POST", path, {}))
            else:
                self._reply(client, conversation)
            self._switch.pause(BETWEEN_REPLIES)
        if not in_hand:
            self._switch.pause(BETWEEN_REPLIES)

    def _reply(self, client: Client, conversation: str) -> None:
        """Reply once, asking again under the same key as long as nobody knows."""
        self._asked += 1
        words = self._random.choice(WORDS)
        key = {"Idempotency-Key": f"{self._login}-{self._asked}"}
        path = f"/api/v1/conversations/{conversation}/messages"
        times = 0

        def ask() -> Answer:
            nonlocal times
            times += 1
            return client.send("POST", path, {"text": words}, key)

        answer = self._switch.insist(ask)
        self.cut += times - 1
        if answer.status == 201:
            self.replies.append(Reply(answer.json["id"], words))
        elif answer.status in {403, 404, 409}:
            self.refused += 1
        else:
            self._switch.problems.append(f"a reply was refused: {answer.status} {answer.body!r}")
