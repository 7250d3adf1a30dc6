"""A recorded day of the platform: everything that a view can be told, made by the real aggregates."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from domain.administration import MappingDraft
from domain.agents import AgentSettings, AgentStatus
from domain.connections import ConnectionSettings
from domain.facts import DeadlineKind, MediaFetched, MediaLink, Outcome, ReceiptStatus
from domain.long_texts import PARTS_WAIT
from domain.mapping_settings import Kind, MappingSettings, Route
from domain.message_values import Resolution
from domain.ports import Unit
from tests.domain.given import ADMIN, ANA, BEN, MAPPING, MINUTE, OTHER, OURS_TOO, Stage
from tests.domain.given_smpp import overdue, part, parts

THIRD, FOURTH, FIFTH = "+14155550125", "+14155550126", "+14155550127"
PIZZA = "https://media.example.com/pizza.jpg"
GRACE = timedelta(seconds=30)


def day() -> Stage:
    """Play the day; the stage with everything in its store."""
    stage = Stage()
    _administer(stage)
    _serve(stage)
    _send_with_trouble(stage)
    _miss_and_refuse(stage)
    _lose_an_agent(stage)
    _consent(stage)
    _start(stage)
    _write_at_length(stage)
    _mend_routes(stage)
    _forget(stage)
    return stage


def _administer(stage: Stage) -> None:
    catalogue = stage.catalogue
    catalogue.put_queue(ADMIN, "SALES", "Sales worldwide", new=False)
    catalogue.put_queue(ADMIN, "OLD", "Old", new=True)
    catalogue.remove_queue(ADMIN, "OLD")
    catalogue.put_work_code(ADMIN, "SOLVED", "Solved", new=True)
    catalogue.put_work_code(ADMIN, "SOLVED", "Solved at once", new=False)
    catalogue.put_work_code(ADMIN, "OLD", "Old", new=True)
    catalogue.remove_work_code(ADMIN, "OLD")
    catalogue.put_canned_reply(ADMIN, "HOURS", "Hours", "We are open from 9 to 5", new=True)
    catalogue.put_canned_reply(ADMIN, "HOURS", "Opening hours", "From 9 to 17", new=False)
    catalogue.put_canned_reply(ADMIN, "OLD", "Old", "Old", new=True)
    catalogue.remove_canned_reply(ADMIN, "OLD")
    aws = ConnectionSettings("Main", "us-east-1")
    catalogue.put_connection(ADMIN, "AWS", aws, new=True)
    catalogue.put_connection(ADMIN, "AWS", replace(aws, region="eu-west-1"), new=False)
    catalogue.put_connection(ADMIN, "OLD", aws, new=True)
    catalogue.remove_connection(ADMIN, "OLD")
    stage.agent("ana", wrap_up=20)
    stage.agent("ben", skills=("SUPPORT", "SALES"), status=AgentStatus.AWAY)
    stage.agent("cal", status=AgentStatus.OFFLINE)
    catalogue.put_agent(ADMIN, "cal", AgentSettings("Cal", ("SALES",), 1, 0), new=False)
    catalogue.remove_agent(ADMIN, "cal")
    stage.desk.connect("ana")


def _serve(stage: Stage) -> None:
    """A customer is helped by two agents, with a picture; the second conversation is for the first agent."""
    stage.text(
        "Where is my PIZZA? Żółw", media=(MediaLink(PIZZA, "image/jpeg"), MediaLink(PIZZA, "image/png"))
    )
    stage.clock.advance(MINUTE)
    stage.route()
    stage.ingest(*_pictures(stage))
    first = stage.reply("On its way", key="a1")
    stage.clock.advance(MINUTE)
    stage.attempt(first)
    stage.settled(first, Outcome.ACCEPTED, provider_message_id="A1")
    for status in (ReceiptStatus.SENT, ReceiptStatus.DELIVERED, ReceiptStatus.SENT):
        stage.receipt(status, provider_message_id="A1")
    stage.desk.change_status(BEN, "ben", AgentStatus.AVAILABLE, requeue=False)
    stage.desk.transfer_to_agent(ANA, stage.conversation().id, "ben")
    stage.reply("Ben here", actor=BEN, key="b1")
    stage.desk.transfer_to_queue(BEN, stage.conversation().id, "SALES")
    stage.clock.advance(MINUTE)
    stage.route()
    stage.reply("Ben again", actor=BEN, key="b2")
    stage.desk.end(BEN, stage.conversation().id, "SOLVED")


def _pictures(stage: Stage) -> list[MediaFetched]:
    thread = stage.thread()
    message_id = stage.ids.inbound("fake/account", "SM1")
    good = MediaFetched(thread.id, message_id, 0, UUID(int=7), "image/jpeg", 1234, "")
    bad = MediaFetched(thread.id, message_id, 1, None, "image/png", 0, "gone from the provider")
    return [good, bad]


def _send_with_trouble(stage: Stage) -> None:
    """Postponed, expired, in doubt, resent, given up."""
    stage.text("Anybody?", OTHER)
    stage.route()
    conversation = stage.conversation(OTHER)
    holder = ANA if conversation.agent == "ana" else BEN
    asked = [
        stage.desk.reply(holder, conversation.id, f"Text {number}", (), f"t{number}").result
        for number in range(5)
    ]
    later = stage.now() + MINUTE
    stage.attempt(asked[0])
    stage.settled(asked[0], Outcome.POSTPONED, retry_at=later, error_code="429", detail="busy")
    stage.attempt(asked[0])
    stage.settled(asked[0], Outcome.REJECTED, 2, error_code="30007", detail=f"{OTHER} filters it")
    for each, resolution in zip(asked[1:4], Resolution, strict=True):
        stage.attempt(each)
        stage.settled(each, Outcome.IN_DOUBT, detail="timed out")
        stage.attention.resolve(holder, each, resolution, "asked the customer")
    stage.clock.advance(timedelta(minutes=16))
    stage.deadline(DeadlineKind.EXPIRY, asked[4])
    stage.attempt(asked[1])
    stage.settled(asked[1], Outcome.IN_DOUBT, 2, detail="timed out again")
    stage.clock.advance(10 * MINUTE)
    stage.idle(conversation.id)
    stage.release()


def _miss_and_refuse(stage: Stage) -> None:
    """One is missed and answered later, one missed and dismissed, one refused."""
    stage.desk.change_status(ANA, "ana", AgentStatus.AWAY, requeue=False)
    stage.desk.change_status(BEN, "ben", AgentStatus.AWAY, requeue=False)
    for customer in (THIRD, FOURTH):
        stage.text("Hello?", customer)
        stage.clock.advance(10 * MINUTE)
        stage.idle(stage.conversation(customer).id)
    stage.attention.dismiss(ANA, stage.conversation(FOURTH).id)
    stage.control(max_chats=1)
    stage.text("First", FOURTH)
    stage.text("Too much", FIFTH)
    stage.text("Still", FIFTH)
    stage.control(max_chats=None)


def _lose_an_agent(stage: Stage) -> None:
    """Work in hand goes back when an agent logs off or is lost."""
    stage.desk.change_status(ANA, "ana", AgentStatus.AVAILABLE, requeue=False)
    stage.route()
    stage.desk.change_status(ANA, "ana", AgentStatus.OFFLINE, requeue=True)
    stage.desk.change_status(ANA, "ana", AgentStatus.AVAILABLE, requeue=False)
    stage.route()
    stage.desk.disconnect("ana", GRACE)
    stage.clock.advance(MINUTE)
    stage.lost()
    stage.desk.connect("ana")
    stage.desk.change_status(ANA, "ana", AgentStatus.AVAILABLE, requeue=False)
    stage.route()


def _consent(stage: Stage) -> None:
    """A reply is overtaken by STOP; START, and STOP once more, without a conversation."""
    waiting = stage.desk.reply(ANA, stage.conversation(FOURTH).id, "One moment", (), "c1").result
    stage.text("STOP", FOURTH)
    message = stage.message(waiting)
    message.block(stage.now())
    stage.store.save(Unit([message]))
    stage.desk.end(ANA, stage.conversation(FOURTH).id, None)
    stage.desk.finish_wrap_up("ana")
    for text in ("START", "STOP", "START", "HELP"):
        stage.text(text, FOURTH)


def _start(stage: Stage) -> None:
    """An agent writes back to one who was missed, and sends a single message."""
    stage.start(ANA, customer=THIRD, key="s1", text="Sorry, we missed you")
    stage.start(ANA, customer=OTHER, key="s2", single=True)
    stage.text("Thanks", THIRD)


def _write_at_length(stage: Stage) -> None:
    """Long texts in parts: one comes whole, one not in its time, and one is still coming."""
    stage.ingest(*parts(stage, "So many ", "thanks", customer=THIRD))
    half, coming = (part(stage, 2, "and thanks", reference=each, customer=THIRD) for each in (8, 9))
    stage.ingest(half)
    stage.clock.advance(PARTS_WAIT)
    overdue(stage, half)
    stage.ingest(coming)


def _mend_routes(stage: Stage) -> None:
    """A number without a route gets one, and another mapping comes and goes."""
    stage.text("Is this the new number?", FIFTH, ours=OURS_TOO)
    stage.text("Hello new number", FOURTH, ours=OURS_TOO)
    stage.change(routes=(*MAPPING.routes, Route(OURS_TOO, "New", "SALES")))
    stage.attention.route_again(ANA, stage.ids.inbound("fake/account", f"SM{stage.texts - 1}"))
    other = MappingSettings(Kind.AWS_EUM, "OTHER", connection="AWS")
    stage.administration.add(ADMIN, MappingDraft(other))
    stage.administration.delete(ADMIN, "OTHER", None)


def _forget(stage: Stage) -> None:
    """A customer is forgotten, comes back and is forgotten again, and comes back."""
    stage.forget(FIFTH)
    stage.text("Me again", FIFTH)
    stage.forget(FIFTH)
    stage.text("And again", FIFTH)
