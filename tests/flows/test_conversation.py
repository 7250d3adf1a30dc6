"""A conversation from the first text to the last receipt."""

from tests.flows.stage import CUSTOMER, OTHER_CUSTOMER, SALES, Agent, Stage, one_of


def test_a_text_is_answered_delivered_and_ended(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Where is my parcel?")
    conversation = stage.conversation()
    assert (conversation["state"], conversation["agent"], conversation["queue"]) == (
        "assigned",
        "ana",
        "SUPPORT",
    )
    reply = ana.reply(conversation, "On its way.")
    assert stage.ledger(CUSTOMER) == ["On its way."]
    sid = stage.sid("On its way.")
    stage.receipt(sid, "sent")
    stage.receipt(sid, "delivered")
    told = stage.message(reply)
    assert told["status"] == "delivered"
    assert [each["outcome"] for each in told["attempts"]] == ["accepted"]
    assert [each["status"] for each in told["receipts"]] == ["sent", "delivered"]
    stage.admin.post("/work-codes", {"code": "SOLVED", "name": "Solved"})
    ana.end(conversation, work_code="SOLVED")
    ended = stage.conversation()
    assert (ended["state"], ended["outcome"], ended["work_code"], ended["ended_by"]) == (
        "ended",
        "handled",
        "SOLVED",
        "ana",
    )
    assert ana.hand() == []


def test_a_webhook_that_comes_three_times_is_one_text(stage: Stage, ana: Agent) -> None:
    sid = stage.text(CUSTOMER, "Hello")
    stage.text(CUSTOMER, "Hello", MessageSid=sid, SmsSid=sid)
    stage.restart()
    stage.text(CUSTOMER, "Hello", MessageSid=sid, SmsSid=sid)
    assert stage.said() == [("customer", "Hello")]


def test_equal_texts_of_their_own_are_two(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Hello")
    stage.text(CUSTOMER, "Hello")
    assert stage.said() == [("customer", "Hello"), ("customer", "Hello")]


def test_texts_in_one_batch_keep_the_order_of_acceptance(stage: Stage, ana: Agent) -> None:
    for number in range(10):
        stage.text(CUSTOMER, f"text {number}", settle=False)
    stage.settle()
    assert [text for _, text in stage.said()] == [f"text {number}" for number in range(10)]
    assert len(stage.conversations()) == 1


def test_the_same_idempotency_key_sends_once(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Hello")
    first = ana.reply(stage.conversation(), "Hi!", key="once")
    again = ana.reply(stage.conversation(), "Hi!", key="once")
    assert again["id"] == first["id"]
    problem = ana.reply(stage.conversation(), "Something else", expect=409, key="once")
    assert problem["errors"][0]["field"] == "Idempotency-Key"
    assert stage.ledger() == ["Hi!"]


def test_the_oldest_waits_for_the_agent_who_was_idle_the_longest(stage: Stage) -> None:
    first, second = stage.agent("ana", room=1), stage.agent("ben", room=1)
    first.becomes("away")
    second.becomes("away")
    stage.text(CUSTOMER, "I came first")
    stage.pass_seconds(5)
    stage.text(OTHER_CUSTOMER, "I came second")
    stage.pass_seconds(5)
    second.becomes("available")
    stage.pass_seconds(5)
    first.becomes("available")
    assert (second.hand(), first.hand()) == ([CUSTOMER], [OTHER_CUSTOMER])
    entries = stage.admin.get(f"/conversations/{stage.conversation(CUSTOMER)['id']}/replay")["entries"]
    considered = one_of(entries, type="parley.conversation.assigned.v1")["data"]["considered"]
    assert [(each["agent"], each["verdict"]) for each in considered] == [
        ("ana", "is away"),
        ("ben", "idle the longest"),
    ]


def test_a_queue_is_only_for_those_who_have_the_skill(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "I want to buy", to=SALES)
    assert stage.conversation()["state"] == "waiting"
    seller = stage.agent("sam", skills=["SALES"])
    assert (seller.hand(), ana.hand()) == ([CUSTOMER], [])


def test_nobody_gets_more_than_there_is_room_for(stage: Stage) -> None:
    ana = stage.agent("ana", room=1)
    stage.text(CUSTOMER, "one")
    stage.text(OTHER_CUSTOMER, "two")
    assert ana.hand() == [CUSTOMER]
    ana.end(stage.conversation(CUSTOMER))
    assert ana.hand() == [OTHER_CUSTOMER]


def test_after_a_conversation_there_is_time_to_wrap_up(stage: Stage) -> None:
    ana = stage.agent("ana", room=1, wrap_up=45)
    stage.text(CUSTOMER, "one")
    stage.text(OTHER_CUSTOMER, "two")
    ana.end(stage.conversation(CUSTOMER))
    stage.pass_seconds(44, every=11)
    assert ana.hand() == []
    stage.pass_seconds(1)
    assert ana.hand() == [OTHER_CUSTOMER]


def test_the_wrap_up_can_be_cut_short(stage: Stage) -> None:
    ana = stage.agent("ana", room=1, wrap_up=45)
    stage.text(CUSTOMER, "one")
    stage.text(OTHER_CUSTOMER, "two")
    ana.end(stage.conversation(CUSTOMER))
    ana.post("/desk/ready", expect=204)
    assert ana.hand() == [OTHER_CUSTOMER]


def test_who_comes_back_gets_the_agent_of_the_last_time(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Hello")
    ana.end(stage.conversation())
    ben = stage.agent("ben")
    stage.text(OTHER_CUSTOMER, "another one")  # ana has been idle the longest: it is hers
    stage.pass_minutes(1)
    stage.text(CUSTOMER, "One more thing")  # now ben has
    assert (ana.hand(), ben.hand()) == ([OTHER_CUSTOMER, CUSTOMER], [])


def test_half_a_minute_is_waited_for_the_agent_of_the_last_time(stage: Stage) -> None:
    ana = stage.agent("ana", room=1)
    stage.text(CUSTOMER, "Hello")
    ana.end(stage.conversation())
    stage.text(OTHER_CUSTOMER, "ana's hands are full now")
    ben = stage.agent("ben")
    stage.text(CUSTOMER, "One more thing")
    assert ben.hand() == []
    stage.pass_seconds(29)
    assert ben.hand() == []
    stage.pass_seconds(1)
    assert ben.hand() == [CUSTOMER]


def test_an_agent_sees_and_handles_only_what_is_theirs(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Hello")
    conversation = stage.conversation()
    ben = stage.agent("ben")
    ben.get(f"/conversations/{conversation['id']}", expect=403)
    ben.reply(conversation, "Hi from ben", expect=403)
    ben.end(conversation, expect=403)
    assert stage.ledger() == []
