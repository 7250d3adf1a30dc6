"""Parked facts: one that cannot be ingested stops nothing, and is tried again when a person says so."""

from domain.facts import TextReceived
from domain.ports import NewRecord
from tests.flows.stage import CUSTOMER, OTHER_CUSTOMER, SALES, SUPPORT, Agent, Stage, thread_of


def orphan(stage: Stage, customer: str = CUSTOMER) -> TextReceived:
    """A text of a mapping that is not there: as after a restore that lost it."""
    return TextReceived(
        key=thread_of(stage, customer),
        mapping_id=stage.platform.ids.mapping("LOST"),
        scope="twilio:test",
        provider_message_id="SM1",
        our_address=SUPPORT,
        customer_address=customer,
        text="Where did my mapping go?",
        media=(),
        keyword=None,
        raw="",
    )


def test_a_fact_that_cannot_be_ingested_is_parked_and_the_next_goes_on(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "before", settle=False)
    stage.platform.ingress.accept([orphan(stage)])
    stage.text(CUSTOMER, "behind", settle=False)
    stage.settle()
    assert stage.said() == [("customer", "before"), ("customer", "behind")]
    (parked,) = stage.admin.get("/parked")["items"]
    assert "there is no mapping" in parked["reason"]
    stage.restart()
    assert len(stage.admin.get("/parked")["items"]) == 1


def test_after_the_fix_it_is_tried_again(stage: Stage, ana: Agent) -> None:
    stage.platform.ingress.accept([orphan(stage)])
    stage.settle()
    (parked,) = stage.admin.get("/parked")["items"]
    place = f"/parked/{parked['partition']}/{parked['offset']}"
    stage.modify(routes=[{"address": SALES, "display_name": "Sales", "skill_queue": "SALES"}])
    route = {"address": SUPPORT, "display_name": "Support", "skill_queue": "SUPPORT"}
    stage.add_mapping("LOST", routes=[route])
    stage.admin.post(f"{place}/retry", {"why": "the mapping is back"}, expect=204)
    assert stage.admin.get("/parked")["items"] == []
    assert stage.said() == [("customer", "Where did my mapping go?")]
    (decision,) = stage.admin.get("/parked/decisions")["items"]
    assert (decision["what"], decision["why"]) == ("retried", "the mapping is back")
    stage.admin.post(f"{place}/retry", {"why": "again"}, expect=404)


def test_one_that_still_fails_is_parked_again(stage: Stage, ana: Agent) -> None:
    stage.platform.ingress.accept([orphan(stage)])
    stage.settle()
    (first,) = stage.admin.get("/parked")["items"]
    place = f"/parked/{first['partition']}/{first['offset']}"
    stage.admin.post(f"{place}/retry", {"why": "a try"}, expect=204)
    (second,) = stage.admin.get("/parked")["items"]
    assert (second["partition"], second["offset"] > first["offset"]) == (first["partition"], True)


def test_one_can_be_given_up(stage: Stage, ana: Agent) -> None:
    stage.platform.ingress.accept([orphan(stage)])
    stage.settle()
    (parked,) = stage.admin.get("/parked")["items"]
    place = f"/parked/{parked['partition']}/{parked['offset']}"
    stage.admin.post(f"{place}/discard", {"why": "a test"}, expect=204)
    assert stage.admin.get("/parked")["items"] == []
    assert stage.conversations() == []


def test_a_record_that_cannot_be_read_is_parked(stage: Stage, ana: Agent) -> None:
    key = thread_of(stage, OTHER_CUSTOMER).bytes
    stage.platform.log.append([NewRecord(key, b"neither Avro nor sealed")])
    stage.text(OTHER_CUSTOMER, "behind")
    assert stage.said(OTHER_CUSTOMER) == [("customer", "behind")]
    (parked,) = stage.admin.get("/parked")["items"]
    assert "cannot be decrypted" in parked["reason"]
    place = f"/parked/{parked['partition']}/{parked['offset']}"
    assert "only be discarded" in stage.admin.post(f"{place}/retry", {"why": "x"}, expect=409)["detail"]
