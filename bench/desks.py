"""How fast the API answers an agent, with no live stream open and with many."""

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.client import Client
from bench.load import run_load
from bench.programs import Parley, Twilio
from bench.report import Measured, median, percentile99
from bench.scene import NUMBERS, Scene, add_agent, set_up, sign_in
from bench.sight import Sight, wait_until_at_rest
from bench.texts import as_requests, made_up

CUSTOMERS = 300  # for as many agents as have room for so many
STREAMS = 200
IN_HAND = 40  # texts before it begins, so that every desk has some conversations
REQUESTS = 400
TEXTS_RATE = 20.0  # a second arrive meanwhile, so that the streams have something to tell
OPEN_WITHIN = 20.0  # seconds


def measure_desks(folder: Path) -> list[Measured]:
    """`GET /api/v1/desk`, one after the other, while texts arrive."""
    with Twilio(folder, NUMBERS) as twilio, Parley(folder) as parley:
        scene = set_up(parley, twilio, CUSTOMERS)
        clients = [sign_in(parley.port, login) for login in scene.agents]
        for client, login in zip(clients, scene.agents, strict=True):
            client.need("POST", f"/api/v1/agents/{login}/status", {"status": "available"})
        _begin_conversations(parley, scene, folder)
        alone = _latencies(parley, scene, clients[0], folder, "none")
        # As with 200 agents, one stream each: a text concerns one of them.
        add_agent(parley, "watcher")
        watchers = [sign_in(parley.port, "watcher")] * (STREAMS - len(clients))
        with _streams(parley.port, [*clients, *watchers]):
            beside = _latencies(parley, scene, clients[0], folder, "many")
    return [
        Measured("desk, no stream open, median", 1000 * median(alone), "ms"),
        Measured("desk, no stream open, p99", 1000 * percentile99(alone), "ms"),
        Measured(f"desk, {STREAMS} streams open, median", 1000 * median(beside), "ms"),
        Measured(f"desk, {STREAMS} streams open, p99", 1000 * percentile99(beside), "ms"),
    ]


def _begin_conversations(parley: Parley, scene: Scene, folder: Path) -> None:
    texts = made_up(IN_HAND, "desks")
    views = parley.data / "views.db"
    sight = Sight(views, texts)
    run_load(parley.port, as_requests(texts, scene.webhook_url), folder).result()
    sight.wait_for_all()
    wait_until_at_rest(views)


def _latencies(parley: Parley, scene: Scene, client: Client, folder: Path, series: str) -> list[float]:
    texts = as_requests(made_up(REQUESTS // 4, series), scene.webhook_url)
    arriving = run_load(parley.port, texts, folder, connections=4, rate=TEXTS_RATE)
    desk = run_load(parley.port, [_get(client, "/api/v1/desk")] * REQUESTS, folder, connections=1)
    outcome = desk.result()
    if outcome.failed or arriving.result().failed:
        raise RuntimeError("the desk did not answer, or a webhook was not accepted")
    return outcome.latencies


def _get(client: Client, path: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1"]
    return "\r\n".join(
        [*lines, *(f"{name}: {value}" for name, value in client.headers.items()), "", ""]
    ).encode()


@contextmanager
def _streams(port: int, clients: list[Client]) -> Iterator[None]:
    """Keep a stream open for each client, and read what they tell."""
    selector = selectors.DefaultSelector()
    sockets = [socket.create_connection(("127.0.0.1", port), OPEN_WITHIN) for _ in clients]
    over = threading.Event()

    def drain() -> None:
        while not over.is_set():
            for key, _ in selector.select(0.1):
                key.fileobj.recv(65536)  # type: ignore[union-attr]  # only sockets are registered

    reader = threading.Thread(target=drain, daemon=True)
    try:
        for each, client in zip(sockets, clients, strict=True):
            each.sendall(_get(client, "/api/v1/desk/stream"))
        for each in sockets:
            if b" 200 " not in each.recv(65536):
                raise RuntimeError("a stream was refused")
            selector.register(each, selectors.EVENT_READ)
        reader.start()
        yield
    finally:
        over.set()
        if reader.is_alive():
            reader.join()
        for each in sockets:
            each.close()
