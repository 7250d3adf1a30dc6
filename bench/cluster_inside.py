"""A platform of the cluster inside this process, without threads: one stage is run at a time."""

import time
from collections.abc import Collection

from bench.inside import fill_log, project_all
from bench.scene import MOST_ROOM, QUEUES
from bench.webhooks import Text
from domain.agents import AgentSettings, AgentStatus
from domain.commands import Actor
from workers.grouping import GroupIngest
from workers.wiring import Platform
from workers.worker import Worker

ADMIN = Actor("admin", frozenset({"admin"}))
JOIN_WITHIN = 30.0  # seconds


def begin_conversations(platform: Platform, ingest: Worker, texts: Collection[Text]) -> None:
    """Let these texts come in, and give the conversations that they begin to as many agents as that takes."""
    customers = {each.customer for each in texts}
    for number in range(1, 2 + len(customers) // MOST_ROOM):
        login = f"agent-{number}"
        settings = AgentSettings(login, QUEUES, MOST_ROOM, wrap_up_seconds=0)
        platform.catalogue.put_agent(ADMIN, login, settings, new=True)
        platform.desk.change_status(ADMIN, login, AgentStatus.AVAILABLE, requeue=False)
    fill_log(platform, list(texts))
    ingest_until_done(platform, ingest)
    project_all(platform)
    router = platform.router()
    while router.step():
        project_all(platform)


def joined(platform: Platform) -> GroupIngest:
    """The ingest worker, once the group has given it all partitions. Raises TimeoutError."""
    member, source = platform.join()
    until = time.monotonic() + JOIN_WITHIN
    while len(member.assigned()) < platform.log.partitions:
        if time.monotonic() > until:
            raise TimeoutError(f"the group did not give us all partitions within {JOIN_WITHIN:.0f} s")
        time.sleep(0.01)
    return GroupIngest(lambda: (member, source), platform.ingest)


def ingest_until_done(platform: Platform, ingest: Worker) -> None:
    """Ingest whatever is on the log."""
    ends = {partition: platform.ingress.end(partition) for partition in range(platform.log.partitions)}
    while True:
        if not ingest.step():
            if all(platform.store.ingested(partition) >= end for partition, end in ends.items()):
                return
            ingest.wait(0.05)


def work_off(worker: Worker) -> None:
    """Step a worker until it has nothing to do."""
    while worker.step():
        pass
