"""SMPP through Parley: texts sent by dispatch, and texts taken in as far as the log and the desk."""

import sqlite3
import ssl
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random

from adapters.smpp.inbound import Inbound
from adapters.smpp.pdu import decode, encode
from adapters.smpp.settings import read as read_settings
from bench.inside import ingest_all, project_all
from bench.profiles import profile
from bench.sight import wait_until_at_rest
from bench.smpp_bare import DELIVERY, ROUNDS, Listening, Rate, best
from bench.smpp_platform import (
    ADMIN,
    LOOK_EVERY,
    MAPPING,
    NUMBERS,
    WITHIN,
    add_agents,
    opened,
    running,
    wait_until,
    write_texts,
)
from bench.smpp_smsc import SendingSmsc
from bench.texts import CUSTOMERS, made_up
from bench.webhooks import Text
from domain.agents import AgentStatus
from domain.facts import Outcome
from workers.inline import InlineExecutor
from workers.wiring import Platform

SENT = 3_000
COUNTS = {1: 2_000, 10: 6_000, 100: 8_000}  # deliveries by window
PROFILED = 1_000


class Flow:
    """Measures, with a folder that nobody else uses."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = 0

    # ── out ────────────────────────────────────────────────────────────────────────────────────

    def dispatch(self, smsc: Listening, window: int) -> Rate:
        """Texts that wait, handed over: from the workers' start until the last outcome is on the log."""
        return best(self._dispatch(smsc, window) for _ in range(ROUNDS))

    def _dispatch(self, smsc: Listening, window: int) -> Rate:
        with opened(self._new_folder(), smsc, window) as (platform, kept):
            write_texts(platform, SENT)
            began, cpu = time.perf_counter(), time.process_time()
            with running(platform):
                wait_until(lambda: len(kept.outcomes) >= SENT)
                rate = _rate(SENT, time.perf_counter() - began, cpu)
        if set(kept.outcomes) != {Outcome.ACCEPTED} or len(kept.outcomes) != SENT:
            raise RuntimeError(f"of {SENT} texts not all were accepted once: {kept.outcomes}")
        return rate

    def profile_dispatch(self, smsc: Listening) -> tuple[str, ...]:
        """Why it hands no more over: what the event loop's thread does shows as waiting for a lock."""
        with opened(self._new_folder(), smsc, pool=InlineExecutor()) as (platform, kept):
            write_texts(platform, PROFILED)
            dispatch = platform.dispatch()

            def work() -> None:
                while len(kept.outcomes) < PROFILED:
                    dispatch.step()
                    ingest_all(platform)
                    project_all(platform)

            return profile(work)

    # ── in ─────────────────────────────────────────────────────────────────────────────────────

    def keep(self, smsc: SendingSmsc, window: int) -> Rate:
        """Deliveries acknowledged once they are on the log; nothing else runs."""
        return best(self._keep(smsc, window) for _ in range(ROUNDS))

    def _keep(self, smsc: SendingSmsc, window: int) -> Rate:
        count = COUNTS[window]
        with opened(self._new_folder(), smsc) as (_, kept):
            cpu = time.process_time()
            smsc.pour(_texts(count, "kept"), window)
            rate = _rate(count, smsc.poured(), cpu)
        if kept.facts != count:
            raise RuntimeError(f"{count} deliveries were acknowledged, and {kept.facts} kept")
        return rate

    def show(self, smsc: SendingSmsc, window: int) -> Rate:
        """Deliveries in conversations under way, until the desk's view shows the last; all workers run.

        The bind is fresh: for a minute every text is looked up, lest it should be a repeat.
        """
        return best(self._show(smsc, window) for _ in range(ROUNDS))

    def _show(self, smsc: SendingSmsc, window: int) -> Rate:
        count, folder = COUNTS[window], self._new_folder()
        with opened(folder, smsc) as (platform, _), running(platform):
            views = folder / "views.db"
            _begin_conversations(platform, smsc, views)
            texts = _texts(count, "shown")
            began, cpu = time.perf_counter(), time.process_time()
            smsc.pour(texts, window)
            _wait_until_shown(views, CUSTOMERS + count)
            rate = _rate(count, time.perf_counter() - began, cpu)
            smsc.poured()
        return rate

    def profile_keeping(self, smsc: SendingSmsc) -> tuple[str, ...]:
        """Why no more is kept: read, made facts of, put on the log and answered, a window together."""
        with opened(self._new_folder(), smsc) as (platform, _):
            account = platform.accounts.by_id(platform.ids.mapping(MAPPING))[1]
            settings = read_settings(account, ssl.create_default_context)
            inbound = Inbound(account, settings, platform.ids, Random(1))
            together = [encode(DELIVERY)] * max(COUNTS)

            def work() -> None:
                for _ in range(PROFILED // len(together)):
                    pdus = [decode(each) for each in together]
                    platform.ingress.accept([inbound.fact(each) for each in pdus])
                    for each in pdus:
                        encode(each.reply())

            return profile(work)

    def profile_showing(self, smsc: SendingSmsc) -> tuple[str, ...]:
        """Why no more is shown: the workers one after the other, on a log that is full."""
        with opened(self._new_folder(), smsc) as (platform, _):
            smsc.pour(_texts(PROFILED, "profiled"), 100)
            smsc.poured()

            def work() -> None:
                ingest_all(platform)
                project_all(platform)

            return profile(work)

    def _new_folder(self) -> Path:
        self._made += 1
        return self._folder / str(self._made)


def _texts(count: int, series: str) -> list[Text]:
    """Each to one of the mapping's numbers, always the same for a customer."""
    made = made_up(count, series)
    return [replace(each, ours=NUMBERS[int(each.customer[-2:]) % len(NUMBERS)]) for each in made]


def _begin_conversations(platform: Platform, smsc: SendingSmsc, views: Path) -> None:
    """Every customer writes once and is given to an agent, as on any morning."""
    for login in add_agents(platform, CUSTOMERS):
        platform.desk.change_status(ADMIN, login, AgentStatus.AVAILABLE, requeue=False)
    morning = {each.customer: each for each in _texts(CUSTOMERS * 10, "morning")}
    smsc.pour(list(morning.values()), window=10)
    smsc.poured()
    _wait_until_shown(views, CUSTOMERS)
    wait_until_at_rest(views)


def _wait_until_shown(views: Path, many: int) -> None:
    """Wait until the view shows so many texts of customers. Raises TimeoutError."""
    until = time.monotonic() + WITHIN
    with closing(sqlite3.connect(f"{views.as_uri()}?mode=ro", uri=True)) as connection:
        while connection.execute("SELECT count(*) FROM messages WHERE inbound = 1").fetchone()[0] < many:
            if time.monotonic() > until:
                raise TimeoutError(f"the view does not show {many} texts within {WITHIN:.0f} s")
            time.sleep(LOOK_EVERY)


def _rate(count: int, seconds: float, cpu_before: float) -> Rate:
    return Rate(count / seconds, 1e6 * (time.process_time() - cpu_before) / count)
