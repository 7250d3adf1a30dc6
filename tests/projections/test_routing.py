"""What waits, who might take it, and what has to leave agents' hands."""

import pytest

from domain.agents import Agent, AgentStatus
from domain.ports import Recorded
from projections.routing import RoutingQueries
from projections.views import Views
from tests.domain.given import ADMIN, ANA, BEN, CUSTOMER, MINUTE, OTHER, Stage
from tests.projections.conftest import See

QUEUES = ("SALES", "SUPPORT")
MANY = 100


@pytest.fixture
def routing(views: Views) -> RoutingQueries:
    return RoutingQueries(views)


def test_what_waits_is_what_the_aggregates_say(routing: RoutingQueries, see: See, played: Stage) -> None:
    see(played)
    expected = {each.conversation_id: each for each in played.waiting()}
    assert {each.conversation_id: each for each in routing.waiting(QUEUES, MANY)} == expected != {}


def test_heads_come_first_and_then_the_oldest(routing: RoutingQueries, see: See, stage: Stage) -> None:
    stage.agent("ana", room=1)
    stage.text(customer=CUSTOMER)
    stage.route()
    for customer in (OTHER, "+14155550130"):
        stage.clock.advance(MINUTE)
        stage.text(customer=customer)
    stage.clock.advance(MINUTE)
    stage.desk.change_status(ANA, "ana", AgentStatus.OFFLINE, requeue=True)
    see(stage)
    expected = [stage.conversation(each).id for each in (CUSTOMER, OTHER, "+14155550130")]
    assert [each.conversation_id for each in routing.waiting(QUEUES, MANY)] == expected
    assert routing.waiting(QUEUES, MANY)[1].since == stage.now() - 2 * MINUTE


def test_only_the_queues_asked_for_are_looked_at_and_only_so_far(
    routing: RoutingQueries, see: See, stage: Stage
) -> None:
    ids = []
    for queue, customer in (("SALES", CUSTOMER), ("SUPPORT", OTHER), ("SALES", "+14155550130")):
        stage.clock.advance(MINUTE)
        stage.text(customer=customer)
        if queue == "SALES":
            stage.desk.transfer_to_queue(ADMIN, stage.conversation(customer).id, queue)
        ids.append(stage.conversation(customer).id)
    see(stage)
    assert [each.conversation_id for each in routing.waiting(QUEUES, MANY)] == ids
    assert [each.conversation_id for each in routing.waiting(QUEUES, 2)] == ids[:2]
    assert [each.conversation_id for each in routing.waiting(("SALES",), MANY)] == [ids[0], ids[2]]
    assert routing.waiting((), MANY) == []


def test_who_is_preferred_is_said(routing: RoutingQueries, see: See, stage: Stage) -> None:
    stage.agent("ana")
    stage.text()
    stage.route()
    stage.desk.end(ANA, stage.conversation().id, None)
    stage.text("One more thing")
    see(stage)
    assert [each.preferred_agent for each in routing.waiting(QUEUES, MANY)] == ["ana"]


def test_what_is_assigned_or_ended_waits_no_more(routing: RoutingQueries, see: See, stage: Stage) -> None:
    stage.agent("ana", room=1)
    for customer in (CUSTOMER, OTHER):
        stage.text(customer=customer)
    stage.route()
    stage.clock.advance(10 * MINUTE)
    stage.idle(stage.conversation(OTHER).id)
    see(stage)
    assert routing.waiting(QUEUES, MANY) == []


def test_agents_are_listed_until_they_are_removed(routing: RoutingQueries, see: See, stage: Stage) -> None:
    for login in ("cal", "ana", "ben"):
        stage.agent(login, status=AgentStatus.OFFLINE)
    stage.catalogue.remove_agent(ADMIN, "ben")
    see(stage)
    assert routing.agent_logins() == ["ana", "cal"]
    stage.catalogue.put_agent(ADMIN, "ben", stage.agent_now("ben").settings, new=True)
    see(stage)
    assert routing.agent_logins() == ["ana", "ben", "cal"]


def test_what_ends_by_itself_has_to_be_released(routing: RoutingQueries, see: See, stage: Stage) -> None:
    stage.agent("ana")
    stage.text()
    stage.route()
    stage.clock.advance(10 * MINUTE)
    stage.idle()
    see(stage)
    assert routing.to_release() == [("ana", stage.conversation().id)]
    stage.release()
    see(stage)
    assert routing.to_release() == []


@pytest.mark.parametrize("how", ["end", "queue", "agent", "log off"])
def test_what_agents_do_themselves_leaves_nothing_to_release(
    routing: RoutingQueries, see: See, stage: Stage, how: str
) -> None:
    stage.agent("ana")
    stage.text()
    stage.route()
    stage.agent("ben")
    id = stage.conversation().id  # noqa: A001 - as everywhere
    if how == "end":
        stage.desk.end(ANA, id, None)
    elif how == "queue":
        stage.desk.transfer_to_queue(ANA, id, "SALES")
    elif how == "agent":
        stage.desk.transfer_to_agent(ANA, id, "ben")
    else:
        stage.desk.change_status(ANA, "ana", AgentStatus.OFFLINE, requeue=True)
    see(stage)
    assert routing.to_release() == []


def test_after_a_transfer_it_is_the_new_agent_who_has_to_let_go(
    routing: RoutingQueries, see: See, stage: Stage
) -> None:
    stage.agent("ana")
    stage.text()
    stage.route()
    stage.agent("ben")
    stage.desk.transfer_to_agent(ANA, stage.conversation().id, "ben")
    stage.desk.transfer_to_agent(BEN, stage.conversation().id, "ana")
    stage.clock.advance(10 * MINUTE)
    stage.idle()
    see(stage)
    assert routing.to_release() == [("ana", stage.conversation().id)]


def test_a_hand_over_may_be_recorded_in_either_order(
    routing: RoutingQueries, views: Views, see: See, stage: Stage
) -> None:
    stage.agent("ana")
    stage.text()
    stage.route()
    stage.agent("ben")
    see(stage)
    before = stage.store.head()
    events = stage.when(lambda: stage.desk.transfer_to_agent(ANA, stage.conversation().id, "ben"))
    assert {Agent.Assigned, Agent.Released} <= {type(each) for each in events}
    events.sort(key=lambda each: isinstance(each, Agent.Released))  # the old agent's last
    swapped = [Recorded(before + number, each) for number, each in enumerate(events, 1)]
    views.apply(views.projections, swapped)
    stage.clock.advance(10 * MINUTE)
    stage.idle()
    see(stage)
    assert routing.to_release() == [("ben", stage.conversation().id)]
