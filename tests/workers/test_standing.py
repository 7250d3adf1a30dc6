"""Standing connections: each kept by one process, and what has to be sent goes by who has one."""

from dataclasses import replace
from uuid import UUID

import pytest

from domain.administration import MappingDraft
from domain.facts import TextReceived
from domain.mapping_settings import Status
from domain.message_values import MessageStatus
from tests.fakes.standing import StandingCarrier, StandingProvider
from tests.workers.cluster import ADMIN, CUSTOMER, OURS, SCOPE, Cluster, Process, cluster, run
from workers.standing import Standing
from workers.worker import LEASE

__all__ = ["cluster"]


class Side:
    """One process of two, with a provider of its own making: which connections it keeps."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.provider = StandingProvider()
        process.platform.providers["fake"] = self.provider
        self.worker: Standing = process.platform.standing()

    def step(self) -> None:
        self.worker.step()

    @property
    def carrier(self) -> StandingCarrier:
        return self.provider.opened[-1]

    @property
    def kept(self) -> set[int]:
        return set(self.carrier.kept) if self.provider.opened else set()


@pytest.fixture
def first(cluster: Cluster) -> Side:
    side = Side(cluster.open(begin=True))
    side.process.project()
    return side


@pytest.fixture
def second(cluster: Cluster, first: Side) -> Side:
    return Side(cluster.open())


def modify(side: Side, **changes: object) -> None:
    platform = side.process.platform
    mapping = platform.accounts.mapping("TW")
    settings = replace(mapping.settings, **changes)  # type: ignore[arg-type]
    platform.mappings.modify(ADMIN, MappingDraft(settings, {}), mapping.version)
    side.process.project()


def test_a_connection_is_kept_by_one_process(first: Side, second: Side) -> None:
    first.step()
    second.step()
    assert (first.kept, second.kept) == ({0}, set())


def test_another_takes_over_from_one_that_stops(first: Side, second: Side) -> None:
    first.step()
    first.worker.release()
    second.step()
    assert (first.kept, second.kept) == (set(), {0})


def test_another_takes_over_from_one_that_hangs_and_that_one_notices(
    cluster: Cluster, first: Side, second: Side
) -> None:
    first.step()
    cluster.clock.move(LEASE * 2)
    second.step()
    assert second.kept == {0}
    first.step()
    assert first.kept == set()


def test_more_connections_are_shared(first: Side, second: Side) -> None:
    modify(first, options={"window": 3})
    first.step()
    assert first.kept == {0, 1, 2}
    second.step()
    assert second.kept == set()


def test_a_draft_keeps_none_and_one_that_is_paused_keeps_its_own(first: Side) -> None:
    first.step()
    modify(first, status=Status.PAUSED)
    first.step()
    assert first.kept == {0}
    modify(first, status=Status.DRAFT)
    first.step()
    assert first.kept == set()


def test_new_credentials_open_a_new_connection(first: Side) -> None:
    first.step()
    old = first.carrier
    modify(first, credentials={"user_name": "AC2"})
    first.step()
    assert old.kept == {}
    assert first.carrier is not old
    assert first.kept == {0}


def test_what_comes_by_it_is_a_fact(first: Side) -> None:
    first.step()
    ids = first.process.platform.ids
    text = TextReceived(
        key=ids.thread(OURS, CUSTOMER),
        mapping_id=ids.mapping("TW"),
        scope=SCOPE,
        provider_message_id="1",
        our_address=OURS,
        customer_address=CUSTOMER,
        text="Hello",
        media=(),
        keyword=None,
        raw="",
    )
    first.carrier.say(0, text)
    first.process.ingest()
    assert isinstance(first.process.conversation(), UUID)


def test_what_has_to_be_sent_goes_by_the_process_that_has_the_connection(
    cluster: Cluster, first: Side, second: Side
) -> None:
    first.step()
    second.step()
    first.process.text()
    first.process.settle()
    message = first.process.reply("Hi")
    first.process.project()
    here, there = first.process.platform.dispatch(), second.process.platform.dispatch()
    run(there)  # which looks first, and has no connection
    run(here)
    first.process.settle()
    assert [each.message_id for each in first.carrier.sent] == [message]
    assert not any(each.sent for each in second.provider.opened)


def test_while_nobody_has_a_connection_it_waits(cluster: Cluster, first: Side) -> None:
    first.provider.away = True
    first.step()
    first.process.text()
    first.process.settle()
    message = first.process.reply("Hi")
    first.process.settle()
    store = first.process.platform.store
    assert store.load([message])[message].status is MessageStatus.REQUESTED  # type: ignore[attr-defined]
    first.carrier.away = False
    dispatch = first.process.platform.dispatch()
    cluster.clock.move(LEASE)
    first.step()
    run(dispatch)
    assert [each.message_id for each in first.carrier.sent] == [message]
