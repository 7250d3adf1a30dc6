"""Webhooks into a running cluster: how many a second, how soon the desk's view shows them, at what cost."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from bench.cluster_servers import Servers, Services, cpu_seconds
from bench.flow import CONNECTIONS, PROFILED, begin_conversations, checked
from bench.inside import opened_with, post_all
from bench.load import run_load
from bench.profiles import profile
from bench.programs import Twilio
from bench.report import Aim, Measured, median, percentile99
from bench.scene import NUMBERS, Scene, set_up
from bench.sight import Sight
from bench.texts import CUSTOMERS, as_requests, made_up

NAMESPACE = "flow"
RATE = 200.0  # a second
RATED = 2_000
WARM = 1_000  # texts before anything counts
END_TO_END_AIM = 1_000.0  # messages a second
LATENCY_AIM = 250.0  # milliseconds
BARE = "bare Flask accept"


def measure_flow(servers: Servers, messages: int, bare: float) -> list[Measured]:
    """So many messages with 32 connections that never rest, then latencies at 200 a second.

    `bare` is what a bare Flask application accepts a second.
    """
    folder = servers.folder / NAMESPACE
    folder.mkdir()
    servers.prepare(NAMESPACE)
    services = Services(servers, NAMESPACE, folder)
    with Twilio(folder, NUMBERS) as twilio, services.running():
        scene = set_up(services, twilio, CUSTOMERS)
        begin_conversations(services, scene, servers.views(NAMESPACE), folder)
        flow = _Flow(servers, services, scene, folder)
        flow.pour("warm", WARM)
        measured = flow.rates(messages, bare) + flow.latencies()
    return [_with_webhooks(servers, each) for each in measured]


class _Flow:
    """A running cluster with conversations in it."""

    def __init__(self, servers: Servers, services: Services, scene: Scene, folder: Path) -> None:
        self._views = servers.views(NAMESPACE)
        self._services = services
        self._scene = scene
        self._folder = folder
        own = {f"parley {name}": each.process.pid for name, each in services.programs.items()}
        self._processes = own | servers.processes()

    def pour(self, series: str, count: int, rate: float = 0.0) -> tuple[float, list[float], list[float]]:
        """Post so many texts: webhooks answered a second, and when each was due and when it was seen."""
        texts = made_up(count, series)
        sight = Sight(self._views, texts)
        load = run_load(
            self._services.port, as_requests(texts, self._scene.webhook_url), self._folder, CONNECTIONS, rate
        )
        visible = sight.wait_for_all(look_every=0.005 if rate else 0.1)
        outcome = checked(load.result())
        return outcome.per_second, outcome.due, visible

    def rates(self, messages: int, bare: float) -> list[Measured]:
        """What it carries when there is always more, and what each process spends on a message."""
        before, began = cpu_seconds(self._processes), time.monotonic()
        accepted, due, visible = self.pour("rates", messages)
        seconds = time.monotonic() - began
        after = cpu_seconds(self._processes)
        spent = {name: 1e6 * (after[name] - before[name]) / messages for name in after}
        shown = messages / (max(visible) - min(due))
        name = "messages from webhook to desk view"
        aim = Aim(END_TO_END_AIM)
        return [
            Measured(f"webhooks accepted, {CONNECTIONS} connections", accepted, "1/s", bare, BARE),
            Measured(name, shown, "1/s", bare, BARE, aim, _where_it_goes(spent, messages, seconds)),
            *(Measured(f"CPU of {each}", value, "µs/message") for each, value in spent.items()),
            Measured("CPU of all processes together", sum(spent.values()), "µs/message"),
        ]

    def latencies(self) -> list[Measured]:
        """From when a webhook was due until the view showed its text."""
        _, due, visible = self.pour("latencies", RATED, RATE)
        seen = sorted(at - start for at, start in zip(visible, due, strict=True))
        aim = Aim(LATENCY_AIM, at_most=True)
        name = f"webhook to desk view at {RATE:.0f}/s"
        return [
            Measured(f"{name}, median", 1000 * median(seen), "ms"),
            Measured(f"{name}, p99", 1000 * percentile99(seen), "ms", aim=aim),
        ]


def _with_webhooks(servers: Servers, measured: Measured) -> Measured:
    """The same, with what a webhook costs in the API, where the aim was missed that this explains."""
    if measured.met is not False or not measured.profile:
        return measured
    with opened_with(servers.prepare("webhooks")) as platform:
        own = profile(lambda: post_all(platform, "profiled", PROFILED))
    return replace(measured, profile=(*measured.profile, f"of {PROFILED} webhooks in the API:", *own))


def _where_it_goes(spent: Mapping[str, float], messages: int, seconds: float) -> tuple[str, ...]:
    """The processor time of a message by process, and what more messages a second would need."""
    total = sum(spent.values())
    lines = [
        f"{value:7.0f} µs/message {value / total:5.0%}  {name}: a core carries {1e6 / value:,.0f}/s"
        for name, value in sorted(spent.items(), key=lambda item: -item[1])
        if value
    ]
    cores = total * messages / seconds / 1e6
    return (
        *lines,
        f"{total:7.0f} µs/message in all: {cores:.1f} cores were busy with it meanwhile",
        f"{total / 1000:7.1f} cores are needed for {END_TO_END_AIM:,.0f}/s, twice as many for twice that",
    )
