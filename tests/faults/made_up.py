"""A small, consistent piece of evidence: two texts, a reply, a doubt resolved, an idle end."""

from typing import Any

from faults.evidence import Copy, Event, Evidence, Post, Reply, Send, Span, Text, ViewRows

BEGIN = 1_000_000.0
CUSTOMER, OURS = "+12025550001", "+15005550007"
TALK, THREAD = "c1" * 16, "70" * 16
FIRST, SECOND, REPLY, DOUBT, NOTICE = "a1" * 16, "a2" * 16, "b1" * 16, "b2" * 16, "b3" * 16


class Story:
    """Tells events one after the other, each at its time."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._versions: dict[str, int] = {}

    def tell(self, stream: str, topic: str, after: float, **data: Any) -> None:
        version = self._versions[stream] = self._versions.get(stream, 0) + 1
        position = 2 * len(self.events) + 1  # positions have gaps
        at = BEGIN + after
        name = f"parley.{topic}.v1"
        self.events.append(Event(position, stream, version, name, at, at + 0.01, f"digest {position}", data))


def evidence() -> Evidence:
    """Nothing is wrong with it."""
    story = Story()
    texts = {sid: text(sid, after) for sid, after in (("SM1", 0.0), ("SM2", 5.0))}
    story.tell(FIRST, "message.received", 0.1, **received(texts["SM1"]))
    story.tell(TALK, "conversation.created", 0.1, thread_id=THREAD, minutes=1)
    story.tell(TALK, "conversation.customer-wrote", 0.1)
    story.tell(SECOND, "message.received", 5.1, **received(texts["SM2"]))
    story.tell(TALK, "conversation.customer-wrote", 5.1)
    for stream, words, after in ((REPLY, "one", 10.0), (DOUBT, "two", 11.0)):
        story.tell(stream, "message.requested", after, **requested("agent", words, "reply"))
        story.tell(TALK, "conversation.agent-wrote", after)
        story.tell(stream, "message.attempted", after + 1, attempt=1, send_by=BEGIN + after + 11)
    story.tell(REPLY, "message.accepted", 12.0, attempt=1, provider_message_id="SMa")
    story.tell(REPLY, "message.receipted", 13.0)
    story.tell(DOUBT, "message.settled", 13.0, attempt=1, outcome="in_doubt")
    story.tell(TALK, "conversation.ended", 71.2, reason="idle")
    story.tell(NOTICE, "message.requested", 71.2, **requested("system", "Closed.", "idle_timeout"))
    story.tell(NOTICE, "message.attempted", 71.3, attempt=1, send_by=BEGIN + 81)
    story.tell(NOTICE, "message.accepted", 71.6, attempt=1, provider_message_id="SMc")
    events = story.events
    sends = [
        Send("SMa", REPLY, 1, CUSTOMER, "one", BEGIN + 11.5),
        Send("SMb", DOUBT, 1, CUSTOMER, "two", BEGIN + 12.5),
        Send("SMc", NOTICE, 1, CUSTOMER, "Closed.", BEGIN + 71.5),
    ]
    views = ViewRows(events[-1].position, {"messages": "hash", "outbound": "hash"}, {DOUBT})
    return Evidence(
        now=BEGIN + 200,
        complete=events[-1].position,
        final=True,
        events=events,
        tailed={each.position for each in events},
        copies=copies(events),
        sends=sends,
        texts=texts,
        replies=[Reply("one", REPLY), Reply("two", DOUBT), Reply("never arrived")],
        views=views,
        rebuilt=ViewRows(views.position, dict(views.hashes), set()),
        calm=[Span(BEGIN, BEGIN + 200)],
    )


def text(sid: str, after: float) -> Text:
    """Posted to both processes, and accepted by one of them."""
    begun = BEGIN + after
    posts = [Post(0, begun, begun + 0.2, 200), Post(1, begun, begun + 0.3, 0)]
    return Text(sid, CUSTOMER, OURS, f"words of {sid}", posts)


def received(text: Text) -> dict[str, Any]:
    """The fields of its event."""
    return {
        "provider_message_id": text.sid,
        "thread_id": THREAD,
        "text": text.body,
        "customer_address": text.customer,
    }


def requested(sender: str, words: str, purpose: str) -> dict[str, Any]:
    """The fields of an outbound message's event."""
    return {
        "sender": sender,
        "text": words,
        "purpose": purpose,
        "conversation_id": TALK,
        "suppressed": False,
    }


def copies(events: list[Event]) -> list[Copy]:
    """The topic's records: one partition, one of them twice."""
    found: list[Copy] = []
    previous = 0
    for event in events:
        found.append(Copy(0, len(found), THREAD, event.position, previous, event.digest))
        previous = event.position
    again = found[3]
    return [*found, Copy(0, len(found), THREAD, again.position, again.previous, again.digest)]
