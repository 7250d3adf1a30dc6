"""One run of the corpus: the crowd, the kills, and the judgement."""

import hashlib
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench.crowd import Agent, Posted, Poster, Switch
from bench.judgement import Findings, compare_with_rebuild, judge
from bench.programs import Parley, Twilio
from bench.scene import NUMBERS, set_up
from bench.webhooks import Text, customers
from workers.inline import InlineExecutor, InlineRun, SteppedClock
from workers.settings import Settings
from workers.wiring import Platform

POSTERS = 12
IN_FLIGHT = 4  # webhooks at the least, when Parley is killed
REPEATED = 0.2  # of the texts are posted again
REPEATED_WITHIN = 400  # places in the order of posts
FINISH_WITHIN = 180.0  # seconds for what is left when the last kill is over
RUSH_WITHIN = 20.0
FAULTS = (("slow", 2), ("hang", 1))  # sends taken and not answered, and not taken and not answered
FAULTS_BEFORE = 0.5  # seconds before the rush
SETTLED_AFTER = timedelta(minutes=4)  # what a kill cut off has been given up and looked up by then


@dataclass(frozen=True)
class Plan:
    """What is to be done."""

    file: Path
    kills: int
    every: float  # seconds between kills, on average
    seed: int
    customers: int
    limit: int | None


def read_texts(plan: Plan) -> list[Posted]:
    """The file's texts, each from some customer to the number they know, with a message id of its own."""
    lines = plan.file.read_bytes().decode("utf-8").split("\n")
    bodies = [line.partition("\t")[2] for line in lines if "\t" in line][: plan.limit]
    chance = random.Random(plan.seed)
    who = [(each, NUMBERS[place % len(NUMBERS)]) for place, each in enumerate(customers(plan.customers))]
    sids = [hashlib.sha256(f"{plan.seed}:{place}".encode()).hexdigest()[:32] for place in range(len(bodies))]
    return [
        Posted(Text(f"SM{sid}", *chance.choice(who), body)) for sid, body in zip(sids, bodies, strict=True)
    ]


def with_repeats(texts: Sequence[Posted], seed: int) -> list[Posted]:
    """The order of posts: one text in five once more, some way behind, and so out of order."""
    chance = random.Random(f"{seed}:repeats")
    order = [(float(place), each) for place, each in enumerate(texts)]
    again = chance.sample(order, round(REPEATED * len(texts)))
    order += [(place + chance.uniform(1, REPEATED_WITHIN), each) for place, each in again]
    return [each for _, each in sorted(order, key=lambda pair: pair[0])]


class Run:
    """One run, from the first start to the judgement."""

    def __init__(self, plan: Plan, folder: Path, console: Console) -> None:
        self._plan = plan
        self._folder = folder
        self._console = console
        self._texts = read_texts(plan)
        self._jobs = with_repeats(self._texts, plan.seed)
        self._parley = Parley(folder)
        self._twilio = Twilio(folder, NUMBERS, receipts="sent,delivered")
        self._switch = Switch()
        self._agents: list[Agent] = []
        self._cut_posts = 0

    def run(self) -> Findings:
        """Do it all. Raises RuntimeError when Parley does not start or does not come to an end."""
        port, seed = self._parley.port, self._plan.seed
        with ExitStack() as stack:
            stack.callback(self._switch.over.set)
            stack.enter_context(self._twilio)
            stack.enter_context(self._parley)
            scene = set_up(self._parley, self._twilio, self._plan.customers)
            self._switch.up.set()
            self._agents = [Agent(port, each, self._switch, seed) for each in scene.agents]
            self._act(Poster(port, scene, self._switch, self._jobs))
            self._parley.stop()
            with self._console.status("settling and judging …"):
                findings = self._judge()
        ended = self._parley.process.returncode
        if ended != 0:
            findings.violations.insert(0, f"Parley ended with {ended} when it was asked to stop")
        findings.violations[:0] = self._switch.problems
        return findings

    # ── the crowd and the kills ────────────────────────────────────────────────────────────────

    def _act(self, poster: Poster) -> None:
        posters = [threading.Thread(target=poster.run, daemon=True) for _ in range(POSTERS)]
        agents = [threading.Thread(target=each.run, daemon=True) for each in self._agents]
        for thread in (*posters, *agents):
            thread.start()
        with _Show(self._console, poster, self._agents) as show:
            self._kill_again_and_again(poster, show)
            poster.pace, poster.allowed = 0.0, len(self._jobs)
            until = time.monotonic() + FINISH_WITHIN
            show.wait(until, lambda: not any(each.is_alive() for each in posters))
            self._switch.closing.set()
            show.wait(until, lambda: not any(each.is_alive() for each in agents))
        if any(each.is_alive() for each in (*posters, *agents)):
            raise RuntimeError(f"it was not over {FINISH_WITHIN:.0f} s after the last kill")

    def _kill_again_and_again(self, poster: Poster, show: "_Show") -> None:
        """Trickle half of a share of the posts, let the rest rush in, and kill in the middle of that."""
        chance = random.Random(f"{self._plan.seed}:kills")
        share = len(self._jobs) / (self._plan.kills + 1)
        for number in range(1, self._plan.kills + 1):
            end = round(share * number)
            wait = self._plan.every * chance.uniform(0.3, 1.7)
            poster.pace, poster.allowed = wait * POSTERS / (share / 2), end - round(share / 2)
            self._trickle(show, time.monotonic() + wait)
            target = poster.done + chance.randint(1, max(1, round(share / 4)))
            poster.pace, poster.allowed = 0.0, end
            self._wait_for_rush(poster, target, end)
            self._kill(poster)
            show.kills = number

    def _trickle(self, show: "_Show", until: float) -> None:
        """Wait; where replies are going out, let the kill find sends without an answer."""
        show.wait(until - 2 * FAULTS_BEFORE, lambda: False)
        sent = self._twilio.ledger.stat().st_size
        show.wait(until - FAULTS_BEFORE, lambda: False)
        if self._twilio.ledger.stat().st_size > sent:
            for fault, times in FAULTS:
                self._twilio.fail_next(fault, times)
        show.wait(until, lambda: False)

    def _wait_for_rush(self, poster: Poster, target: int, end: int) -> None:
        until = time.monotonic() + RUSH_WITHIN
        while poster.in_flight < IN_FLIGHT or poster.done < target:
            if poster.done >= end:
                return
            if time.monotonic() > until:
                raise RuntimeError(f"the webhooks did not go on within {RUSH_WITHIN:.0f} s")
            time.sleep(0.0005)

    def _kill(self, poster: Poster) -> None:
        self._parley.check_alive()
        self._cut_posts += poster.in_flight
        self._switch.up.clear()
        self._parley.kill()
        self._parley.start()
        self._switch.up.set()

    # ── the judgement ──────────────────────────────────────────────────────────────────────────

    def _judge(self) -> Findings:
        """Let the minutes pass in which what was cut off is given up, by moving the clock; then compare."""
        settings = Settings(data_dir=self._parley.data, public_url=self._parley.url)
        clock = SteppedClock(datetime.now(UTC))
        platform = Platform(settings, clock=clock, pool=InlineExecutor())
        try:
            InlineRun(platform, clock).pass_time(SETTLED_AFTER, every=timedelta(seconds=10))
            replies = [reply for agent in self._agents for reply in agent.replies]
            findings = judge(platform.store, self._texts, replies, self._twilio.accepted())
            findings.violations += compare_with_rebuild(platform.views, platform.store)
            findings.violations += [f"fact parked: {each.reason}" for each in platform.parking.parked()]
        finally:
            platform.close()
        findings.counts = self._counts() | findings.counts
        return findings

    def _counts(self) -> dict[str, int]:
        return {
            "posted": len(self._texts),
            "accepted": sum(bool(each.accepted) for each in self._texts),
            "repeats": len(self._jobs) - len(self._texts),
            "posts": sum(each.posts for each in self._texts),
            "kills": self._plan.kills,
            "webhooks in flight at a kill": self._cut_posts,
            "replies requested": sum(len(each.replies) for each in self._agents),
            "requested again after a cut": sum(each.cut for each in self._agents),
            "replies refused": sum(each.refused for each in self._agents),
        }


class _Show:
    """How far it has come, on the terminal."""

    def __init__(self, console: Console, poster: Poster, agents: Sequence[Agent]) -> None:
        self.kills = 0
        self._poster = poster
        self._agents = agents
        self._progress = Progress(
            TextColumn("posts"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._task = self._progress.add_task("", total=len(poster.jobs))

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._progress.stop()

    def wait(self, until: float, enough: Callable[[], bool]) -> None:
        """Show, until it is enough or a moment on the monotonic clock is past."""
        while time.monotonic() < until and not enough():
            replies = sum(len(each.replies) for each in self._agents)
            said = f"replies {replies}  kills {self.kills}"
            self._progress.update(self._task, completed=self._poster.done, description=said)
            time.sleep(0.05)
