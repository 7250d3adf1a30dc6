"""What was set aside, for those who look after it."""

from uuid import UUID

from adapters.event_store.parking import ParkedDecision
from domain.ports import Parked, Unit
from tests.adapters.event_store.worlds import StoredWorld
from tests.contracts.event_store_contract import MINUTE, receipt
from tests.contracts.samples import AT

ONE, TWO = UUID(int=1), UUID(int=2)


def test_a_parked_fact_can_be_taken_out(world: StoredWorld) -> None:
    parked = [Parked(0, 5, "no such mapping"), Parked(1, 2, "cannot be read")]
    world.store.save(Unit(parked=parked[::-1]))
    assert world.parking.parked() == parked
    assert world.parking.parked_at(0, 5) == parked[0]
    assert world.parking.parked_at(0, 6) is None
    decision = ParkedDecision(0, 5, "discarded", "ada", "a test by +15005550006", world.clock.now())
    assert world.parking.decide(decision)
    assert not world.parking.decide(decision)
    assert world.parking.decisions(10) == [decision]
    assert world.parking.parked() == parked[1:]


def test_receipts_expire_visibly_and_can_be_dismissed(world: StoredWorld) -> None:
    early = receipt(ONE)
    world.store.save(Unit(waiting=[early]))
    assert world.parking.expired_receipts(AT) == []
    assert world.parking.expired_receipts(AT + MINUTE) == [early]
    assert world.store.waiting_receipts([ONE]) == [early]  # should its attempt still come, it applies
    assert world.parking.dismiss_receipt(early)
    assert not world.parking.dismiss_receipt(early)
    assert world.store.waiting_receipts([ONE]) == []


def test_parking_twice_keeps_one(world: StoredWorld) -> None:
    world.store.save(Unit(parked=[Parked(0, 5, "first")], waiting=[receipt(TWO)]))
    world.store.save(Unit(parked=[Parked(0, 5, "second")], waiting=[receipt(TWO)]))
    assert world.parking.parked() == [Parked(0, 5, "second")]
    assert world.store.waiting_receipts([TWO]) == [receipt(TWO)]
