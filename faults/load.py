"""The load: customers' texts as webhooks, to both API processes, some twice and out of order, at a rate."""

import hashlib
import heapq
import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.client import Client, Cut
from bench.webhooks import Text, signed
from faults.journal import Journal
from faults.scene import IDLE_LINE, LINES, Line

POSTERS = 40  # threads: many, because a process that is frozen keeps those that talk to it
GIVE_UP = 5.0  # seconds until the provider hangs up
AGAIN_AFTER = 0.4  # seconds before a text without a 2xx is posted again
COPIES = 0.2  # of the texts are posted two to five times at once
HELD_BACK = 0.1  # are posted late, and so out of order
HELD_FOR = (0.2, 2.0)  # seconds
REPLAYED = 0.03  # are posted again
REPLAYED_AFTER = (5.0, 60.0)  # seconds
REGULARS = 150  # customers of the number where conversations go on
PASSERS = 3000  # customers of the other one, who write a little and are silent then
TO_IDLE_LINE = 0.12  # of the texts
WORDS = ("Is anybody there?", "It’s about my order №{n} – 5 €", "Thanks! 👍🏽", "{n} {{yes}} [no] ~", "Ok")


@dataclass(order=True)
class _Job:
    due: float
    number: int
    text: Text = field(compare=False)
    api: int = field(compare=False)
    again: bool = field(compare=False)  # it was accepted before: nobody waits for it


class Load:
    """Posts texts at a rate, each again until it is accepted."""

    def __init__(
        self, journal: Journal, ports: Sequence[int], public_url: str, seed: int, rate: float
    ) -> None:
        self._journal = journal
        self._ports = ports
        self._public = public_url
        self._rate = rate
        self._random = random.Random(f"{seed}:load")
        self._seed = seed
        self._jobs: list[_Job] = []
        self._replays: list[_Job] = []  # of texts that were accepted before: they rest during a pause
        self._numbers = itertools.count()
        self._changed = threading.Condition()  # guards what follows, and the jobs
        self._open: set[str] = set()  # texts that are not accepted yet
        self._running = False
        self._over = False
        self.counts: Counter[str] = Counter()
        self.problems: list[str] = []
        self._threads = [threading.Thread(target=self._post_all, daemon=True) for _ in range(POSTERS)]
        self._threads.append(threading.Thread(target=self._write_all, daemon=True))

    def start(self) -> None:
        """Begin, paused."""
        for thread in self._threads:
            thread.start()

    def resume(self) -> None:
        """Let customers write."""
        with self._changed:
            self._running = True
            self._changed.notify_all()

    def pause(self, within: float) -> bool:
        """Let nobody write, and wait until all that was written is accepted; False when it takes too long."""
        with self._changed:
            self._running = False
            return self._changed.wait_for(lambda: not self._open, within)

    def stop(self) -> None:
        """End for good."""
        with self._changed:
            self._over = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(2 * GIVE_UP)

    # ── writing ────────────────────────────────────────────────────────────────────────────────

    def _write_all(self) -> None:
        number = 0
        while self._wait_to_write():
            number += 1
            self._write(number)

    def _wait_to_write(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._over, self._random.uniform(0, 2 / self._rate))
            self._changed.wait_for(lambda: self._over or self._running)
            return not self._over

    def _write(self, number: int) -> None:
        chance = self._random
        line, customer = self._who(chance)
        sid = "SM" + hashlib.sha256(f"{self._seed}:{number}".encode()).hexdigest()[:32]
        text = Text(sid, customer, line.address, f"{number}: " + chance.choice(WORDS).format(n=number))
        self._journal.write("text", sid=sid, customer=customer, ours=text.ours, body=text.body)
        now = time.monotonic()
        held = chance.uniform(*HELD_FOR) if chance.random() < HELD_BACK else 0.0
        copies = chance.randint(2, 5) if chance.random() < COPIES else 1
        first = chance.randrange(len(self._ports))
        with self._changed:
            self._open.add(sid)
            for copy in range(copies):
                self._put(now + held, text, (first + copy) % len(self._ports))
            if chance.random() < REPLAYED:
                later = now + chance.uniform(*REPLAYED_AFTER)
                self._put(later, text, chance.randrange(len(self._ports)), again=True)
                self.counts["replayed later"] += 1
            self.counts["texts"] += 1
            self.counts["copied"] += copies > 1
            self.counts["to two processes at once"] += copies > 1
            self.counts["held back"] += held > 0

    @staticmethod
    def _who(chance: random.Random) -> tuple[Line, str]:
        if chance.random() < TO_IDLE_LINE:
            return IDLE_LINE, f"+1202{7000000 + chance.randrange(PASSERS)}"
        return LINES[0], f"+1202{5550000 + chance.randrange(REGULARS)}"

    def _put(self, due: float, text: Text, api: int, *, again: bool = False) -> None:
        job = _Job(due, next(self._numbers), text, api, again)
        heapq.heappush(self._replays if again else self._jobs, job)
        self._changed.notify_all()

    # ── posting ────────────────────────────────────────────────────────────────────────────────

    def _post_all(self) -> None:
        clients = [Client(port, timeout=GIVE_UP) for port in self._ports]
        while (job := self._take()) is not None:
            status = self._post(clients[job.api], job)
            accepted = 200 <= status < 300
            with self._changed:
                if accepted:
                    self._open.discard(job.text.sid)
                    self._changed.notify_all()
                elif job.text.sid in self._open and not job.again:
                    other = (job.api + 1) % len(self._ports)
                    self._put(time.monotonic() + AGAIN_AFTER, job.text, other)

    def _take(self) -> _Job | None:
        """The next job that is due, waiting for it; none at the end."""
        with self._changed:
            while not self._over:
                now, nearest = time.monotonic(), 0.2
                for jobs in (self._jobs, self._replays) if self._running else (self._jobs,):
                    if jobs and jobs[0].due <= now:
                        return heapq.heappop(jobs)
                    if jobs:
                        nearest = min(nearest, jobs[0].due - now)
                self._changed.wait(nearest)
            return None

    def _post(self, client: Client, job: _Job) -> int:
        """Post once; the answer's status, 0 when there was none."""
        url = f"{self._public}/ingress/rest/{job.text.ours and _code(job.text.ours)}"
        headers, body = signed(url, job.text.form())
        path = url.removeprefix(self._public)
        number = next(self._numbers)
        self._journal.write("post", sid=job.text.sid, post=number, api=job.api)
        try:
            answer = client.request("POST", path, body, headers)
        except Cut:
            self._journal.write("answer", sid=job.text.sid, post=number, status=0)
            self._count("unanswered")
            return 0
        self._journal.write("answer", sid=job.text.sid, post=number, status=answer.status)
        self._count("posts")
        if 400 <= answer.status < 500:
            self.problems.append(f"text {job.text.sid} was refused: {answer.status} {answer.body[:200]!r}")
        return answer.status

    def _count(self, what: str) -> None:
        with self._changed:
            self.counts[what] += 1


def _code(address: str) -> str:
    return next(line.mapping for line in LINES if line.address == address)
