"""Agents as they are, and the stream of what concerns one of them."""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.agents import AgentStatus
from domain.conversations import Conversation
from domain.messages import Message
from domain.ports import Recorded
from projections.desk_queries import Changes, DeskQueries
from projections.history_documents import ConversationView, MessageView
from projections.history_queries import Filters, HistoryQueries
from projections.registry import ALL
from projections.views import Views
from tests.domain.given import ADMIN, ANA, BEN, CUSTOMER, OTHER, Stage
from tests.projections.conftest import See

MANY = 1000


@pytest.fixture
def desk(views: Views) -> DeskQueries:
    return DeskQueries(views)


@pytest.fixture
def busy(stage: Stage) -> Stage:
    """Ana has a conversation in hand, Ben is there too."""
    stage.agent("ana")
    stage.agent("ben", status=AgentStatus.AWAY)
    stage.text("First words")
    stage.route()
    stage.desk.change_status(BEN, "ben", AgentStatus.AVAILABLE, requeue=False)
    return stage


class Client:
    """An agent's desk that keeps what the stream tells it."""

    def __init__(self, login: str) -> None:
        self.login = login
        self.position = 0
        self.told: Counter[tuple[UUID | None, UUID, int]] = Counter()
        self.conversations: dict[UUID, ConversationView] = {}
        self.messages: dict[UUID, MessageView] = {}

    def take(self, changes: Changes) -> None:
        assert changes.position >= self.position
        self.position = changes.position
        self.told.update((each.id, each.id, each.position) for each in changes.conversations)
        self.told.update((each.conversation_id, each.id, each.position) for each in changes.messages)
        self.conversations |= {each.id: each for each in changes.conversations}
        self.messages |= {each.id: each for each in changes.messages}

    @property
    def mine(self) -> dict[UUID, ConversationView]:
        """What is in the agent's hands, as the desk believes."""
        return {each.id: each for each in self.conversations.values() if each.agent == self.login}


def test_every_agent_is_as_their_aggregate(desk: DeskQueries, see: See, played: Stage) -> None:
    see(played)
    expected = [each for each in played.agents() if not each.removed]
    assert [each.login for each in desk.agents()] == [each.login for each in expected] == ["ana", "ben"]
    for agent in expected:
        view = desk.agent(agent.login)
        assert view is not None
        for name in ("status", "in_hand", "wrap_up_until", "idle_since", "connected", "lost_at"):
            assert getattr(view, name) == getattr(agent, name), name
        for name in ("name", "skills", "room", "wrap_up_seconds"):
            assert getattr(view, name) == getattr(agent.settings, name), name
    assert desk.agent("cal") is None


def test_in_hand_are_the_agents_open_conversations(desk: DeskQueries, see: See, busy: Stage) -> None:
    see(busy)
    found, position = desk.in_hand("ana")
    assert [each.id for each in found] == [busy.conversation().id]
    assert position == busy.store.head()
    assert desk.in_hand("ben")[0] == []


def test_an_agent_is_told_of_a_new_conversation_with_all_its_messages(
    desk: DeskQueries, see: See, busy: Stage
) -> None:
    busy.reply("Let me ask Ben")
    see(busy)
    before = busy.store.head()
    busy.desk.transfer_to_agent(ANA, busy.conversation().id, "ben")
    see(busy)
    changes = desk.changes("ben", before, MANY)
    assert [each.agent for each in changes.conversations] == ["ben"]
    assert {"First words", "Let me ask Ben"} < {each.text for each in changes.messages}
    assert changes.agent is not None
    assert changes.agent.in_hand == (busy.conversation().id,)


def test_an_agent_is_told_once_that_a_conversation_has_left(desk: DeskQueries, see: See, busy: Stage) -> None:
    see(busy)
    before = busy.store.head()
    busy.desk.transfer_to_agent(ANA, busy.conversation().id, "ben")
    see(busy)
    left = desk.changes("ana", before, MANY)
    assert [each.agent for each in left.conversations] == ["ben"]
    busy.text("More")
    busy.reply("Hello from Ben", actor=BEN)
    see(busy)
    after = desk.changes("ana", left.position, MANY)
    assert (after.conversations, after.messages, after.agent) == ((), (), None)
    assert after.position == busy.store.head()


def test_an_agent_is_told_what_became_of_a_reply_after_the_conversation_left(
    desk: DeskQueries, see: See, busy: Stage
) -> None:
    message_id = busy.reply("Too late")
    busy.desk.transfer_to_agent(ANA, busy.conversation().id, "ben")
    see(busy)
    before = busy.store.head()
    message = busy.message(message_id)
    assert isinstance(message, Message)
    busy.attempt(message_id)
    see(busy)
    changes = desk.changes("ana", before, MANY)
    assert [(each.id, each.status) for each in changes.messages] == [(message_id, "attempting")]


def test_others_conversations_are_nobody_elses_business(desk: DeskQueries, see: See, busy: Stage) -> None:
    busy.agent("cal")
    see(busy)
    changes = desk.changes("cal", 0, MANY)
    assert (changes.conversations, changes.messages) == ((), ())


def test_a_changed_consent_is_told(desk: DeskQueries, see: See, busy: Stage) -> None:
    see(busy)
    before = busy.store.head()
    busy.text("STOP")
    see(busy)
    [conversation] = desk.changes("ana", before, MANY).conversations
    assert conversation.opted_out


def test_a_purge_is_told(desk: DeskQueries, see: See, busy: Stage) -> None:
    see(busy)
    before = busy.store.head()
    busy.forget(CUSTOMER)
    see(busy)
    changes = desk.changes("ana", before, MANY)
    texts = {changes.conversations[0].customer_address, *(each.text for each in changes.messages)}
    assert texts == {"[erased]"}


def test_a_position_before_its_time_is_kept(desk: DeskQueries, see: See, busy: Stage) -> None:
    see(busy)
    ahead = busy.store.head() + 5
    assert desk.changes("ana", ahead, MANY) == Changes(None, (), (), ahead)


def shuffle(stage: Stage) -> None:
    """Conversations go from hand to hand, and back, while everybody writes."""
    stage.agent("ana", room=5)
    stage.agent("ben", room=5)
    for customer in (CUSTOMER, OTHER):
        stage.text(f"Hello from {customer}", customer)
        stage.route()
    for number in range(3):
        for customer in (CUSTOMER, OTHER):
            conversation = stage.conversation(customer)
            giver, taker = (ANA, BEN) if conversation.agent == "ana" else (BEN, ANA)
            sent = stage.desk.reply(giver, conversation.id, "Yes", (), f"{number}{customer}").result
            stage.desk.transfer_to_agent(giver, conversation.id, taker.login)
            stage.text("And?", customer)
            stage.attempt(sent)
    stage.desk.transfer_to_queue(ADMIN, stage.conversation(OTHER).id, "SALES")
    stage.desk.end(ADMIN, stage.conversation(CUSTOMER).id, None)
    stage.text("STOP", OTHER)


def shuffled() -> list[Recorded]:
    stage = Stage()
    shuffle(stage)
    return stage.store.read(0, stage.store.head())


RECORDED = shuffled()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_desk_that_asks_at_any_time_for_any_number_loses_and_doubles_nothing(
    views: Views, data: st.DataObject
) -> None:
    for each in ALL:
        views.reset(each.name)
    clients = [Client("ana"), Client("ben")]
    parts = {each.name: each for each in views.projections}
    others = [each for each in views.projections if each.name not in ("desk", "history")]
    views.apply(others, RECORDED)
    done = {"desk": 0, "history": 0}
    while min(done.values()) < len(RECORDED):
        # The two views are at different positions most of the time.
        name = data.draw(st.sampled_from(sorted(each for each in done if done[each] < len(RECORDED))))
        until = data.draw(st.integers(done[name] + 1, len(RECORDED)))
        views.apply([parts[name]], RECORDED[done[name] : until])
        done[name] = until
        for client in clients:
            if data.draw(st.booleans()):
                limit = data.draw(st.integers(1, 5))
                new = DeskQueries(views).changes(client.login, client.position, MANY)
                if new.agent or new.conversations or new.messages:
                    assert client.login in DeskQueries(views).concerned(client.position)[0]
                client.take(DeskQueries(views).changes(client.login, client.position, limit))
    check(views, clients)


def check(views: Views, clients: Sequence[Client]) -> None:
    """Every desk catches up, and then has exactly what the views have for its agent."""
    desk, history = DeskQueries(views), HistoryQueries(views)
    for client in clients:
        while client.position < len(RECORDED):
            client.take(desk.changes(client.login, client.position, 2))
        holds = Counter(
            each.event.originator_id
            for each in RECORDED
            if isinstance(each.event, Conversation.Assigned) and each.event.agent == client.login
        )
        for (conversation_id, thing_id, _), times in client.told.items():
            known = client.messages.get(thing_id)
            assert conversation_id is not None
            assert times <= (1 if known and known.agent == client.login else holds[conversation_id])
        mine = {each.id: each for each in history.search(Filters(agent=client.login), None, MANY).items}
        assert client.mine == mine
        for each in mine:
            told = [message for message in client.messages.values() if message.conversation_id == each]
            assert sorted(told, key=lambda message: message.sequence) == history.messages(each)
        requested = [each.event for each in RECORDED if isinstance(each.event, Message.Requested)]
        own = [each.originator_id for each in requested if each.agent == client.login]
        for message_id in own:
            detail = history.message(message_id)
            assert detail is not None
            assert client.messages[message_id] == detail.message
        assert own


def test_one_who_asks_seldom_is_told_of_a_thing_once(views: Views) -> None:
    views.apply(views.projections, RECORDED)
    client = Client("ana")
    client.take(DeskQueries(views).changes("ana", 0, MANY))
    assert client.position == len(RECORDED)
    assert set(client.told.values()) == {1}
    check(views, [client])
