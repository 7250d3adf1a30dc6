"""Planted bugs: what the evidence would be if the platform had one. The checker must notice each (I14)."""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace

from faults.evidence import Copy, Event, Evidence, Send, Span
from faults.folds import conversations


class NotHere(Exception):
    """There is nothing in this evidence in which the bug could show."""


@dataclass(frozen=True)
class Bug:
    """A bug, the invariant that it breaks, and how it alters the evidence in place."""

    name: str
    invariant: str
    plant: Callable[[Evidence], None]


def planted(evidence: Evidence, bug: Bug) -> Evidence:
    """The evidence as the bug would have left it. Raises NotHere."""
    altered = copy(evidence)
    altered.events, altered.copies = list(evidence.events), list(evidence.copies)
    altered.sends, altered.tailed = list(evidence.sends), set(evidence.tailed)
    altered.texts, altered.replies = dict(evidence.texts), list(evidence.replies)
    altered.views, altered.calm = copy(evidence.views), list(evidence.calm)
    altered.views.in_doubt, altered.views.hashes = set(evidence.views.in_doubt), dict(evidence.views.hashes)
    altered.rebuilt = copy(evidence.views)
    bug.plant(altered)
    return altered


def _place(evidence: Evidence, topic: str, **data: str) -> int:
    for place, event in enumerate(evidence.events):
        if event.topic == f"parley.{topic}.v1" and all(
            event.data[name] == value for name, value in data.items()
        ):
            return place
    raise NotHere


def _next_position(evidence: Evidence) -> int:
    return evidence.events[-1].position + 1


def _append(evidence: Evidence, event: Event, **changes: object) -> None:
    """One more event of a stream, at the end of everything."""
    version = max(each.version for each in evidence.events if each.stream == event.stream) + 1
    changed = replace(event, position=_next_position(evidence), version=version)
    evidence.events.append(replace(changed, **changes))  # type: ignore[arg-type]  # fields of an event


# ── what came in ───────────────────────────────────────────────────────────────────────────────


def _lost_text(evidence: Evidence) -> None:
    sid = evidence.events[_place(evidence, "message.received")].data["provider_message_id"]
    evidence.events = [each for each in evidence.events if each.data.get("provider_message_id") != sid]


def _doubled_text(evidence: Evidence) -> None:
    event = evidence.events[_place(evidence, "message.received")]
    evidence.events.append(replace(event, position=_next_position(evidence), stream="f" * 32))


def _invented_text(evidence: Evidence) -> None:
    del evidence.texts[evidence.events[_place(evidence, "message.received")].data["provider_message_id"]]


def _altered_text(evidence: Evidence) -> None:
    place = _place(evidence, "message.received")
    event = evidence.events[place]
    evidence.events[place] = replace(event, data={**event.data, "text": "something else"})


def _lost_reply(evidence: Evidence) -> None:
    stream = evidence.events[_place(evidence, "message.requested", sender="agent")].stream
    evidence.events = [each for each in evidence.events if each.stream != stream]


def _version_gap(evidence: Evidence) -> None:
    """One that others of its stream follow."""
    third = next((each for each in evidence.events if each.version == 3), None)
    if third is None:
        raise NotHere
    evidence.events = [each for each in evidence.events if (each.stream, each.version) != (third.stream, 2)]


def _overtaken_text(evidence: Evidence) -> None:
    """Two texts of a customer change places."""
    last: dict[str, int] = {}
    for place, event in enumerate(evidence.events):
        if event.topic != "parley.message.received.v1":
            continue
        before = last.get(event.data["thread_id"])
        if before is not None and _follow(evidence, before, place):
            earlier = evidence.events[before]
            evidence.events[before] = replace(event, position=earlier.position)
            evidence.events[place] = replace(earlier, position=event.position)
            evidence.outages = []
            return
        last[event.data["thread_id"]] = place
    raise NotHere


def _follow(evidence: Evidence, before: int, place: int) -> bool:
    one, other = (
        evidence.texts[evidence.events[each].data["provider_message_id"]] for each in (before, place)
    )
    return 0 < one.accepted < other.begun


# ── what went out ──────────────────────────────────────────────────────────────────────────────


def _sent_without_intent(evidence: Evidence) -> None:
    if not evidence.sends:
        raise NotHere
    send = evidence.sends[0]
    evidence.events = [
        each
        for each in evidence.events
        if not (each.stream == send.message and each.topic == "parley.message.attempted.v1")
    ]


def _sent_before_intent(evidence: Evidence) -> None:
    if not evidence.sends:
        raise NotHere
    evidence.sends[0] = replace(evidence.sends[0], at=evidence.sends[0].at - 3600)


def _sent_twice(evidence: Evidence) -> None:
    if not evidence.sends:
        raise NotHere
    evidence.sends.append(replace(evidence.sends[0], sid="SM" + "f" * 32))


def _repeated_after_doubt(evidence: Evidence) -> None:
    event = evidence.events[_place(evidence, "message.settled", outcome="in_doubt")]
    attempt = event.data["attempt"] + 1
    data = {"attempt": attempt, "send_by": event.at + 10}
    _append(evidence, event, topic="parley.message.attempted.v1", data=data)


def _still_attempting(evidence: Evidence) -> None:
    event = evidence.events[_place(evidence, "message.requested", sender="agent")]
    stream = "e" * 32
    position = _next_position(evidence)
    intent = replace(
        event, stream=stream, position=position + 1, version=2, topic="parley.message.attempted.v1"
    )
    evidence.events.append(replace(event, stream=stream, position=position, version=1))
    evidence.events.append(replace(intent, data={"attempt": 1, "send_by": evidence.now - 3600}))


def _doubt_not_shown(evidence: Evidence) -> None:
    evidence.views.in_doubt ^= {"d" * 32}


def _accepted_in_vain(evidence: Evidence) -> None:
    place = _place(evidence, "message.accepted")
    sid = evidence.events[place].data["provider_message_id"]
    evidence.sends = [each for each in evidence.sends if each.sid != sid]


# ── copies and views ───────────────────────────────────────────────────────────────────────────


def _row_off(evidence: Evidence) -> None:
    if not evidence.views.hashes:
        raise NotHere
    evidence.views.hashes[min(evidence.views.hashes)] = "another"


def _tail_skipped(evidence: Evidence) -> None:
    evidence.tailed.discard(evidence.events[len(evidence.events) // 2].position)


def _relay_skipped(evidence: Evidence) -> None:
    position = evidence.events[len(evidence.events) // 2].position
    evidence.copies = [each for each in evidence.copies if each.position != position]


def _relay_disordered(evidence: Evidence) -> None:
    partition = evidence.copies[0].partition
    places = [place for place, each in enumerate(evidence.copies) if each.partition == partition]
    if len(places) < 2:
        raise NotHere
    one, other = places[0], places[1]
    first, second = evidence.copies[one], evidence.copies[other]
    evidence.copies[one] = _at(second, first)
    evidence.copies[other] = _at(first, second)


def _at(copy_: Copy, place: Copy) -> Copy:
    return replace(copy_, offset=place.offset)


def _copy_altered(evidence: Evidence) -> None:
    evidence.copies[0] = replace(evidence.copies[0], digest="another")


# ── idle conversations ─────────────────────────────────────────────────────────────────────────


def _idle_end(evidence: Evidence) -> int:
    return _place(evidence, "conversation.ended", reason="idle")


def _early_idle_end(evidence: Evidence) -> None:
    place = _idle_end(evidence)
    evidence.events[place] = replace(evidence.events[place], at=evidence.events[place].at - 1800)


def _double_idle_end(evidence: Evidence) -> None:
    _append(evidence, evidence.events[_idle_end(evidence)])


def _late_idle_end(evidence: Evidence) -> None:
    event = evidence.events[_idle_end(evidence)]
    due = conversations(evidence.events)[event.stream].due
    evidence.events[_idle_end(evidence)] = replace(event, committed=due + 60)
    evidence.calm.append(Span(due - 60, due + 120))


def _undrained(evidence: Evidence) -> None:
    evidence.undrained = ["the spool still holds texts"]


def _unknown_send(evidence: Evidence) -> None:
    evidence.sends.append(Send("SM" + "e" * 32, "", 0, "+12025550000", "from nowhere", evidence.now))


BUGS = (
    Bug("a text is lost", "I1", _lost_text),
    Bug("a text is there twice", "I1", _doubled_text),
    Bug("a confirmed reply is lost", "I1", _lost_reply),
    Bug("a text is invented", "I2", _invented_text),
    Bug("a text is altered", "I2", _altered_text),
    Bug("an event is missing in a stream", "I3", _version_gap),
    Bug("a text overtakes another", "I3", _overtaken_text),
    Bug("a send without an intent", "I4", _sent_without_intent),
    Bug("a send before its intent", "I4", _sent_before_intent),
    Bug("a send that names no message", "I4", _unknown_send),
    Bug("a message is sent twice", "I5", _sent_twice),
    Bug("a send is repeated after it fell in doubt", "I5", _repeated_after_doubt),
    Bug("an attempt stays open", "I6", _still_attempting),
    Bug("a doubt is not shown", "I6", _doubt_not_shown),
    Bug("an acceptance that never was", "I6", _accepted_in_vain),
    Bug("a row of a view is off", "I7", _row_off),
    Bug("a reader passes over a position", "I8", _tail_skipped),
    Bug("the relay passes over a position", "I9", _relay_skipped),
    Bug("the relay changes the order", "I9", _relay_disordered),
    Bug("the relay alters an event", "I9", _copy_altered),
    Bug("an idle end comes early", "I10", _early_idle_end),
    Bug("an idle end comes twice", "I10", _double_idle_end),
    Bug("an idle end comes late", "I10", _late_idle_end),
    Bug("a backlog does not drain", "I13", _undrained),
)
