"""One fault run: cycles of faults under load, healed and judged again and again."""

import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from faults.agents import Crew
from faults.checker import find, judge, overtakings
from faults.cluster import PUBLIC_URL, Cluster
from faults.evidence import Evidence, Span, Violation
from faults.folds import conversations
from faults.inject import Injector
from faults.journal import Journal
from faults.load import Load
from faults.plan import ALL_POINTS_FROM, CRASH, TIMES_EACH, Cycle, Fault, make_plan, required
from faults.planted import BUGS, NotHere, planted
from faults.points import all_points
from faults.scene import set_up
from faults.watch import Watch

RATE = 20.0  # texts a second
HEAL_EVERY = 20  # cycles
REBUILD_EVERY = 5  # heals
UP_WITHIN = 60.0
DRAIN_WITHIN = 60.0  # I13
SETTLE_WITHIN = 150.0  # at the end: attempts whose process died are given up after 55 seconds, retries wait
PATIENT_FROM = 50  # cycles: shorter runs do not wait for that
PAUSE_WITHIN = 30.0
COMMAND_WITHIN = 120.0
EXTRA = 0.2  # of the cycles may be added for crash points that were missed
WRITERS = ("api", "ingest", "route", "dispatch", "timers", "deliver")
TRAFFIC = 5  # texts accepted for each cycle, at the least
SENDS = 2

Say = Callable[[str], None]


@dataclass
class Result:
    """What came of a run."""

    seed: int
    cycles: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    load: Counter[str] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)  # of the run itself
    ended: Counter[str] = field(default_factory=Counter)  # processes that ended by themselves
    accepted: int = 0
    sent: int = 0
    in_doubt: int = 0
    overtaken: int = 0  # texts, while the log was away and by way of another process
    noticed: int = 0  # planted bugs
    bugs: int = 0
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong, with the platform or with the run."""
        return not self.violations and not self.problems


class Run:
    """A run from its start to its end."""

    def __init__(self, cycles: int, seed: int, folder: Path, logs: Path, say: Say) -> None:
        self.result = Result(seed)
        self._plan = make_plan(cycles, seed)
        self._wanted = cycles
        self._cluster = Cluster(folder, seed, logs)
        self._say = say
        self._logs = logs
        self._seen: set[Violation] = set()
        self._heals = 0

    def run(self) -> Result:
        """Do it all. Raises what keeps the cluster from starting."""
        begun = time.monotonic()
        with ExitStack() as stack:
            self._say("starting the cluster")
            cluster = stack.enter_context(self._cluster)
            set_up(cluster.api_ports[0], cluster.provider_url)
            journal = Journal(self._logs / "journal.jsonl")
            stack.callback(journal.close)
            self._load = Load(journal, cluster.api_ports, PUBLIC_URL, self.result.seed, RATE)
            self._crew = Crew(journal, cluster.api_ports, self.result.seed)
            self._watch = Watch(cluster, journal.path)
            stack.callback(self._watch.close)
            self._injector = Injector(cluster, self.result.seed, self._customers)
            for each in (self._crew, self._load):
                stack.callback(each.stop)
                each.start()
            self._resume()
            self._run_cycles()
            self._heal(last=True)
            self._conclude()
        self.result.seconds = time.monotonic() - begun
        return self.result

    # ── cycles ─────────────────────────────────────────────────────────────────────────────────

    def _run_cycles(self) -> None:
        cycles = list(self._plan)
        room = round(EXTRA * len(cycles)) if self._wanted >= ALL_POINTS_FROM else 0
        while cycles:
            self._run_cycle(cycles.pop(0))
            if not cycles and room:
                more = self._more_cycles()[:room]
                room -= len(more)
                cycles += more

    def _run_cycle(self, cycle: Cycle) -> None:
        begun = time.monotonic()
        # The provider goes wrong first: what else happens should find it so.
        for fault in reversed(cycle.faults):
            self._injector.bring_about(fault)
        time.sleep(cycle.seconds)
        self._injector.follow_up()
        self.result.cycles += 1
        names = ", ".join(each.name for each in cycle.faults)
        counts = self._load.counts
        self._say(
            f"cycle {cycle.number:4}  {time.monotonic() - begun:5.1f} s  {names}"
            f"  (texts {counts['texts']}, replies {self._crew.counts['replies']})"
        )
        if self.result.cycles % HEAL_EVERY == 0 and self.result.cycles < self._wanted:
            self._heal()

    def _more_cycles(self) -> list[Cycle]:
        """Once more what nobody came by often enough."""
        self._injector.follow_up()
        hits = self._injector.hits
        names = [each.name for each in all_points() for _ in range(TIMES_EACH - hits[each.name])]
        number = self.result.cycles
        template = [each for each in self._plan for fault in each.faults if fault.kind == CRASH]
        company = {each.faults[0].target: each.faults[1:] for each in template}
        return [
            Cycle(number + place, (Fault(CRASH, name), *company.get(name, ())), 2.0)
            for place, name in enumerate(names, 1)
        ]

    def _customers(self) -> list[str]:
        """Those who had nothing open when it was last judged: only such may be forgotten."""
        evidence = self._watch.evidence
        open_threads = {each.thread for each in conversations(evidence.events).values() if not each.ends}
        customers = {
            each.data["customer_address"]: each.data["thread_id"] in open_threads
            for each in evidence.events
            if each.topic == "parley.message.received.v1"
        }
        busy = {each for each, is_open in customers.items() if is_open or each is None}
        return [each for each in customers if each not in busy]

    # ── healing and judging ────────────────────────────────────────────────────────────────────

    def _resume(self) -> None:
        self._load.resume()
        self._crew.resume()

    def _heal(self, *, last: bool = False) -> None:
        """End all faults, wait for rest, and judge."""
        begun = time.monotonic()
        self._injector.heal()
        evidence = self._watch.evidence
        evidence.undrained = []
        try:
            self._cluster.wait_until_up(UP_WITHIN)
        except TimeoutError as error:
            evidence.undrained.append(str(error))
        healed = time.time()
        if not self._load.pause(PAUSE_WITHIN):
            evidence.undrained.append("some texts are refused again and again")
        if not self._crew.pause(PAUSE_WITHIN):
            evidence.undrained.append("some agents get no answer")
        evidence.undrained += self._watch.rest(DRAIN_WITHIN)
        patient = last and self._wanted >= PATIENT_FROM
        if patient:
            self._watch.rest(SETTLE_WITHIN, all_settled=True)
        if not evidence.undrained:
            self._watch.calm.append(Span(healed, time.time()))
        evidence = self._watch.conclude(self._injector.outages, self._injector.forgotten, final=patient)
        self._heals += 1
        if last or self._heals % REBUILD_EVERY == 0:
            self._compare_with_rebuild(evidence)
        self._judge(evidence, last=last)
        evidence.rebuilt = None
        self._say(
            f"healed in {time.monotonic() - begun:.1f} s: {len(evidence.events)} events,"
            f" {len(self.result.violations)} violations so far"
        )
        if not last:
            self._resume()

    def _judge(self, evidence: Evidence, *, last: bool) -> None:
        for violation in judge(evidence):
            # Where the backlog is still there, what has not come is judged the next time, and in the end.
            waits = evidence.undrained and not last and violation.kind in {"lost", "late"}
            if violation not in self._seen and not waits:
                self._seen.add(violation)
                self.result.violations.append(violation)
                self._say(f"violation {violation.invariant}: {violation.what}")

    def _compare_with_rebuild(self, evidence: Evidence) -> None:
        """Let all who write hold still, and see the views before and after a rebuild."""
        names = [each.name for service in WRITERS for each in self._cluster.of(service)]
        self._cluster.freeze(names)
        try:
            missing = self._watch.rest(DRAIN_WITHIN / 6)
            before = self._watch.store.read_views(hashed=True)
            program = self._cluster.command(["rebuild"])
            code = program.run_to_end(COMMAND_WITHIN)
            if code != 0:
                self.result.problems.append(f"parley rebuild ended with {code}, see {program.output.name}")
                return
            after = self._watch.store.read_views(hashed=True)
        except (psycopg.Error, TimeoutError) as error:
            self.result.problems.append(f"the views could not be compared with a rebuild: {error}")
            return
        finally:
            self._cluster.thaw(names)
        if before.position == after.position:
            evidence.views, evidence.rebuilt = before, after
        else:
            what = f"{before.position} and {after.position} ({'; '.join(missing)})"
            self.result.problems.append(f"the views moved while all who write held still: {what}")

    # ── the end ────────────────────────────────────────────────────────────────────────────────

    def _conclude(self) -> None:
        result, evidence = self.result, self._watch.evidence
        result.faults = self._injector.counts + self._watch.provider_faults
        result.points = self._injector.hits
        result.load = self._load.counts + self._crew.counts
        result.ended = self._cluster.keeper.by_itself
        result.accepted = sum(each.accepted > 0 for each in evidence.texts.values())
        result.sent = len(evidence.sends)
        result.in_doubt = sum(
            each.topic == "parley.message.settled.v1" and each.data["outcome"] == "in_doubt"
            for each in evidence.events
        )
        result.overtaken = sum(not strict for _, _, strict in overtakings(evidence))
        result.problems += self._injector.problems + self._load.problems[:20] + self._crew.problems
        result.problems += self._too_little()
        self._plant(evidence)

    def _too_little(self) -> list[str]:
        result = self.result
        problems = [
            f"{each} was never injected" for each in sorted(required(self._wanted) - result.faults.keys())
        ]
        never = {"copied", "held back", "to two processes at once"} - result.load.keys()
        problems += [f"no text was {what}" for what in sorted(never)]
        if self._wanted >= ALL_POINTS_FROM:
            hits = {each.name: result.points[each.name] for each in all_points()}
            problems += [
                f"{name} was hit {many} times only" for name, many in hits.items() if many < TIMES_EACH
            ]
        if result.accepted < TRAFFIC * result.cycles or result.sent < SENDS * result.cycles:
            problems.append(f"too little traffic: {result.accepted} texts accepted, {result.sent} sent")
        return problems

    def _plant(self, evidence: Evidence) -> None:
        """See whether the checker would have noticed (I14)."""
        known = set(judge(evidence))
        for bug in BUGS:
            try:
                altered = planted(evidence, bug)
            except NotHere:
                continue
            self.result.bugs += 1
            found = (each for each in find(altered) if each not in known)
            if any(each.invariant == bug.invariant for each in found):
                self.result.noticed += 1
            else:
                self.result.problems.append(f"the checker did not notice a planted bug: {bug.name}")
