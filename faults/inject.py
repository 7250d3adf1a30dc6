"""How each fault is brought about, and undone."""

import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.client import Client, Cut
from faults import plan
from faults.cluster import Cluster
from faults.evidence import Span
from faults.plan import Fault

HIT_WITHIN = 3.0  # seconds that a cycle waits for a process to die; after that it is waited for meanwhile
ARMED_FOR = 45.0
AT_ONCE = 3  # of the provider's answers go wrong
FORGET_WITHIN = 60.0
FORGET_TRIES = 3
REFUSED = 2  # the code that the command ends with
LOOK_EVERY = 0.03


@dataclass
class _Order:
    point: str
    until: float


class Injector:
    """Brings faults about. What outlasts its cycle is undone by `follow_up`, at the latest by `heal`."""

    def __init__(self, cluster: Cluster, seed: int, customers: Callable[[], list[str]]) -> None:
        self.counts: Counter[str] = Counter()  # faults that did happen, by kind
        self.hits: Counter[str] = Counter()  # crash points
        self.outages: list[Span] = []  # of the broker
        self.forgotten: set[str] = set()
        self.missed: list[Fault] = []  # crash points that nobody passed in time
        self.problems: list[str] = []
        self._cluster = cluster
        self._random = random.Random(f"{seed}:inject")
        self._customers = customers
        self._orders: list[_Order] = []
        self._frozen: dict[str, float] = {}  # until when
        self._lost = 0

    def bring_about(self, fault: Fault) -> None:
        """Let it happen."""
        if fault.kind in plan.PROVIDER:
            self._provider(fault)
        elif fault.kind == plan.CRASH and fault.target.startswith("forget:"):
            self._forget(fault.target)
        elif fault.kind == plan.CRASH:
            self._crash(fault.target)
        elif fault.kind == plan.KILL:
            self._cluster.program(fault.target).send(signal.SIGKILL)
            self.counts[fault.kind] += 1
        elif fault.kind == plan.ZOMBIE:
            self._freeze(fault)
        elif fault.kind in plan.DATABASE:
            self._database(fault)
        else:
            self._broker(fault)

    def follow_up(self) -> None:
        """Undo what is over, and see what has happened meanwhile."""
        now = time.monotonic()
        self._thaw([name for name, until in self._frozen.items() if until <= now])
        for order in [each for each in self._orders if each.until <= now]:
            self._disarm(order)
        self._look()

    def heal(self) -> None:
        """End everything that is still wrong."""
        if self._frozen:  # a zombie must have outlived its lease
            time.sleep(max(0.0, max(self._frozen.values()) - time.monotonic()))
        self._thaw(list(self._frozen))
        for order in list(self._orders):
            self._disarm(order)
        self._cluster.proxy.tell("release")
        self._look()

    # ── processes ──────────────────────────────────────────────────────────────────────────────

    def _crash(self, point: str) -> None:
        service = point.partition(":")[0]
        for program in self._cluster.of(service):
            order = f"{point}:{self._random.randint(1, 3)}"
            self._cluster.order_of(program.name).write_text(order, "ascii")
        self._orders.append(_Order(point, time.monotonic() + ARMED_FOR))
        until = time.monotonic() + HIT_WITHIN
        while time.monotonic() < until and any(each.point == point for each in self._orders):
            time.sleep(LOOK_EVERY)
            self._look()

    def _look(self) -> None:
        """Count the processes that died where they were told to, and the answers that were lost."""
        if self._cluster.hits.exists():
            hits = Counter(self._cluster.hits.read_text("ascii").split())
            for point in hits - self.hits:
                self.counts[plan.CRASH] += hits[point] - self.hits[point]
                self._orders = [each for each in self._orders if each.point != point or self._remove(each)]
            self.hits = hits
        lost = self._cluster.proxied.read_text("ascii").count("lost-commit")
        self.counts["lost commit"] += lost - self._lost
        self._lost = lost

    def _remove(self, order: _Order) -> bool:
        """Take an order back from all who have it."""
        for program in self._cluster.of(order.point.partition(":")[0]):
            path = self._cluster.order_of(program.name)
            if path.exists() and path.read_text("ascii").startswith(order.point + ":"):
                path.unlink(missing_ok=True)
        return False

    def _disarm(self, order: _Order) -> None:
        self._remove(order)
        self._orders.remove(order)
        self.missed.append(Fault(plan.CRASH, order.point))

    def _freeze(self, fault: Fault) -> None:
        """Never all processes of a service at once, where there is more than one."""
        service = fault.target.rpartition("-")[0]
        if any(name.rpartition("-")[0] == service for name in self._frozen):
            self._cluster.program(fault.target).send(signal.SIGKILL)
            self.counts[plan.KILL] += 1
            return
        self._cluster.freeze([fault.target])
        self._frozen[fault.target] = time.monotonic() + fault.seconds

    def _thaw(self, names: list[str]) -> None:
        self._cluster.thaw(names)
        for name in names:
            del self._frozen[name]
            self.counts[plan.ZOMBIE] += 1

    def _forget(self, point: str) -> None:
        """Forget a customer by a command that dies on the way; then once more, to its end."""
        order = self._cluster.order_of("forget")
        for customer in self._customers()[-FORGET_TRIES:]:
            order.write_text(f"{point}:1", "ascii")
            code = self._run_forget(customer)
            order.unlink(missing_ok=True)
            if code != REFUSED:
                self.forgotten.add(customer)
                self._run_forget(customer)
                break
        else:
            self.missed.append(Fault(plan.CRASH, point))
        self._look()

    def _run_forget(self, customer: str) -> int:
        """How the command ended: refused where a conversation is open, as it may be again by now."""
        program = self._cluster.command(["forget", customer, "--yes"])
        try:
            code = program.run_to_end(FORGET_WITHIN)
        except subprocess.TimeoutExpired:
            code = -signal.SIGALRM
        if code not in {0, REFUSED, -signal.SIGKILL}:
            self.problems.append(f"forgetting a customer ended with {code}, see {program.output.name}")
        return code

    # ── servers ────────────────────────────────────────────────────────────────────────────────

    def _database(self, fault: Fault) -> None:
        cluster = self._cluster
        if fault.kind == "lost commit":  # counted when it has happened
            cluster.proxy.tell("lose-commit")
            return
        if fault.kind == "postgres hold":
            cluster.proxy.tell("hold")
            time.sleep(fault.seconds)
            cluster.proxy.tell("release")
        elif fault.kind == "postgres crash":
            cluster.postgres.crash()
            cluster.postgres.start()
        else:
            cluster.postgres.kill()
            cluster.postgres.start()
        self.counts[fault.kind] += 1

    def _broker(self, fault: Fault) -> None:
        kafka = self._cluster.kafka
        how = fault.target or fault.kind.rpartition(" ")[2]
        with self._outage():
            if how == "freeze":
                kafka.freeze()
                try:
                    self._wait(fault.seconds)
                finally:
                    kafka.thaw()
            else:
                kafka.kill() if how == "kill" else kafka.stop()
                self._wait(fault.seconds)
                kafka.start()
        self.counts[fault.kind] += 1

    def _wait(self, seconds: float) -> None:
        """Wait, and undo meanwhile what is over."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.5))
            self.follow_up()

    @contextmanager
    def _outage(self) -> Iterator[None]:
        start = time.time()
        try:
            yield
        finally:
            self.outages.append(Span(start, time.time()))

    # ── the provider ───────────────────────────────────────────────────────────────────────────

    def _provider(self, fault: Fault) -> None:
        """Told only: the ledger says what came of it."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        times = 1 if fault.kind == "hang" else AT_ONCE
        port = int(self._cluster.provider_url.rpartition(":")[2])
        try:
            body = f"fault={fault.kind}&times={times}".encode()
            Client(port).request("POST", "/_fake/fail", body, headers)
        except Cut as cut:
            self.problems.append(f"the provider simulator does not answer: {cut}")
