"""Webhooks into a running Parley, and how soon the desk's view shows them."""

from pathlib import Path

from bench.inside import opened, post_all
from bench.load import Outcome, run_load
from bench.profiles import profile
from bench.programs import Parley, Program, Twilio, free_port
from bench.report import Aim, Measured, median, percentile99
from bench.scene import NUMBERS, Scene, Served, set_up, sign_in
from bench.sight import Place, Sight, wait_until_at_rest
from bench.texts import CUSTOMERS, as_requests, made_up

MESSAGES = 10_000
CONNECTIONS = 32
RATE = 100.0  # a second
RATED = 1_000
PROFILED = 1_000
WEBHOOK_AIM = 50.0  # milliseconds
END_TO_END_AIM = 500.0  # messages a second


def measure_flow(folder: Path) -> list[Measured]:
    """Rates with 32 connections that never rest, then latencies at 100 a second."""
    ceiling = bare_rate(folder)
    with Twilio(folder, NUMBERS) as twilio, Parley(folder) as parley:
        scene = set_up(parley, twilio, CUSTOMERS)
        views = parley.data / "views.db"
        begin_conversations(parley, scene, views, folder)
        rates = _rates(parley, scene, views, folder, ceiling)
        return rates + _latencies(parley, scene, views, folder)


def profile_webhooks(folder: Path) -> tuple[str, ...]:
    """Why a webhook takes as long as it does."""
    with opened(folder / "profiled-webhooks") as platform:
        return profile(lambda: post_all(platform, "profiled", PROFILED))


def bare_rate(folder: Path, messages: int = MESSAGES) -> float:
    """Webhooks a second that a bare Flask application takes on the same web server."""
    port = free_port()
    with Program("bare", folder, ["-m", "bench.bare_server", str(port)], {}) as bare:
        bare.wait_for_answer(port)
        requests = as_requests(made_up(messages, "bare"), f"http://127.0.0.1:{port}/ingress/rest/BARE")
        return run_load(port, requests, folder, CONNECTIONS).result().per_second


def begin_conversations(parley: Served, scene: Scene, views: Place, folder: Path) -> None:
    """Every customer writes once and is given to an agent, as on any morning."""
    for login in scene.agents:
        sign_in(parley.port, login).need("POST", f"/api/v1/agents/{login}/status", {"status": "available"})
    texts = list({each.customer: each for each in made_up(CUSTOMERS * 10, "morning")}.values())
    sight = Sight(views, texts)
    checked(run_load(parley.port, as_requests(texts, scene.webhook_url), folder).result())
    sight.wait_for_all()
    wait_until_at_rest(views)


def _rates(parley: Parley, scene: Scene, views: Path, folder: Path, ceiling: float) -> list[Measured]:
    texts = made_up(MESSAGES, "rates")
    sight = Sight(views, texts)
    load = run_load(parley.port, as_requests(texts, scene.webhook_url), folder, CONNECTIONS)
    visible = sight.wait_for_all(look_every=0.05)
    outcome = checked(load.result())
    bare = "bare Flask accept"
    messages = MESSAGES / (max(visible) - min(outcome.due))
    return [
        Measured(f"webhooks accepted, {CONNECTIONS} connections", outcome.per_second, "1/s", ceiling, bare),
        Measured("messages from webhook to desk view", messages, "1/s", ceiling, bare, Aim(END_TO_END_AIM)),
    ]


def _latencies(parley: Parley, scene: Scene, views: Path, folder: Path) -> list[Measured]:
    texts = made_up(RATED, "latencies")
    sight = Sight(views, texts)
    load = run_load(parley.port, as_requests(texts, scene.webhook_url), folder, CONNECTIONS, RATE)
    visible = sight.wait_for_all(look_every=0.002)
    outcome = checked(load.result())
    seen = sorted(at - due for at, due in zip(visible, outcome.due, strict=True))
    at_rate = f"at {RATE:.0f}/s"
    return [
        Measured(f"webhook's answer {at_rate}, median", 1000 * median(outcome.latencies), "ms"),
        Measured(
            f"webhook's answer {at_rate}, p99",
            1000 * percentile99(outcome.latencies),
            "ms",
            aim=Aim(WEBHOOK_AIM, at_most=True),
        ),
        Measured(f"webhook to desk view {at_rate}, median", 1000 * median(seen), "ms"),
        Measured(f"webhook to desk view {at_rate}, p99", 1000 * percentile99(seen), "ms"),
    ]


def checked(outcome: Outcome) -> Outcome:
    """The same. Raises RuntimeError when a webhook was refused."""
    if outcome.failed:
        raise RuntimeError(f"{outcome.failed} webhooks were not accepted")
    return outcome
