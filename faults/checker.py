"""The checker: whether invariants I1–I10 and I13 held, by the evidence alone.

Written apart from the platform: neither this module nor those that read the evidence import any of it.
The invariants: E is the event store, K the events' topic, P the read models, L the provider's ledger.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import accumulate

from faults.evidence import Event, Evidence, Send, Text, Violation
from faults.folds import Message, conversations, messages

RECEIVED = "parley.message.received.v1"
REQUESTED = "parley.message.requested.v1"
SETTLED_WITHIN = 30.0 + 30.0
"""Seconds from an attempt's send-by time, after which its outcome is known or known to be lost: the
provider's answer takes 30 at the most; then 15 of a dead owner's lease, and 15 of grace."""

CLOCK = 0.002  # seconds: times are rounded on the way
OUTAGE_MARGIN = 15.0
"""Seconds before and after an outage in which the log may be away for one process and not for another."""


def judge(evidence: Evidence) -> list[Violation]:
    """Everything that is not as it must be."""
    return list(find(evidence))


def find(evidence: Evidence) -> Iterator[Violation]:
    """The same, one after the other."""
    for check in CHECKS:
        yield from check(evidence)


# ── what came in ───────────────────────────────────────────────────────────────────────────────


def received_once(evidence: Evidence) -> Iterator[Violation]:
    """I1: every webhook answered 2xx has exactly one received-event per provider and provider's id."""
    found = _received(evidence)
    for text in evidence.texts.values():
        many = len(found[text.sid])
        if text.accepted and not many:
            yield Violation("I1", f"text {text.sid} was accepted and is no event", "lost")
        if many > 1:
            yield Violation("I1", f"text {text.sid} is {many} events", "duplicated")


def nothing_invented(evidence: Evidence) -> Iterator[Violation]:
    """I2: every received-event is an authentic request, with its words; so is every agent's reply."""
    for sid, events in _received(evidence).items():
        text = evidence.texts.get(sid)
        for event in events:
            if text is None:
                yield Violation("I2", f"text {sid} was never posted")
            elif event.data["text"] is None:
                if text.customer not in evidence.forgotten:
                    yield Violation("I2", f"text {sid} cannot be read, and nobody forgot the customer")
            elif (event.data["text"], event.data["customer_address"]) != (text.body, text.customer):
                yield Violation("I2", f"text {sid} is not what was posted")
    asked = {each.text for each in evidence.replies} | {None}  # of a customer forgotten since
    for event in evidence.events:
        if event.topic == REQUESTED and event.data["sender"] == "agent" and event.data["text"] not in asked:
            yield Violation("I2", f"message {event.stream} of an agent was never asked for")


def replies_kept(evidence: Evidence) -> Iterator[Violation]:
    """I1, for agents: a reply that was confirmed is there, and no reply is there twice."""
    requested: defaultdict[str | None, list[str]] = defaultdict(list)
    for event in evidence.events:
        if event.topic == REQUESTED and event.data["sender"] == "agent":
            requested[event.data["text"]].append(event.stream)
    for reply in evidence.replies:
        there = requested[reply.text]
        if len(there) > 1:
            yield Violation("I1", f"reply {reply.text!r} is {len(there)} messages", "duplicated")
        elif reply.message and reply.message not in there + requested[None]:
            yield Violation("I1", f"reply {reply.message} was confirmed and is no event", "lost")


def in_order(evidence: Evidence) -> Iterator[Violation]:
    """I3: versions are 1..n in every stream; a sender's texts are in the order of their acceptance."""
    versions: defaultdict[str, list[int]] = defaultdict(list)
    for event in evidence.events:
        versions[event.stream].append(event.version)
    for stream, found in versions.items():
        if found != list(range(1, len(found) + 1)):
            yield Violation("I3", f"the versions of stream {stream} are not 1 to {len(found)} in order")
    for earlier, later, strict in overtakings(evidence):
        if strict:
            yield Violation("I3", f"text {later.sid} overtook {earlier.sid}, which was accepted before")


def overtakings(evidence: Evidence) -> Iterator[tuple[Text, Text, bool]]:
    """Texts of one customer that stand in another order than accepted: the earlier, the later, and whether
    that must not be.

    While the log is away, each API process keeps what it accepted, and brings it when the log is back: only
    what the same process accepted keeps its order then.
    """
    place = {sid: events[0].position for sid, events in _received(evidence).items()}
    by_customer: defaultdict[tuple[str, str], list[Text]] = defaultdict(list)
    for text in evidence.texts.values():
        if text.sid in place:
            by_customer[text.customer, text.ours].append(text)
    for texts in by_customer.values():
        texts.sort(key=lambda each: place[each.sid])
        for first, second in _inverted(texts):
            yield second, first, _must_keep_order(second, first, evidence)


def _inverted(texts: list[Text]) -> Iterator[tuple[Text, Text]]:
    """Pairs of which the second was accepted before the first was posted at all."""
    accepted = [each.accepted or math.inf for each in texts]
    begun = [each.begun for each in texts]
    earliest = list(accumulate(reversed(accepted), min))[::-1]
    for number, first in enumerate(texts[:-1]):
        if earliest[number + 1] < begun[number]:
            for place in range(number + 1, len(texts)):
                if accepted[place] < begun[number]:
                    yield first, texts[place]


def _must_keep_order(earlier: Text, later: Text, evidence: Evidence) -> bool:
    accepted = earlier.accepted_by()
    if all(each.api in accepted and accepted[each.api] < each.begun for each in later.posts):
        return True
    return not any(each.holds(earlier.accepted, OUTAGE_MARGIN) for each in evidence.outages)


def _received(evidence: Evidence) -> defaultdict[str, list[Event]]:
    found: defaultdict[str, list[Event]] = defaultdict(list)
    for event in evidence.events:
        if event.topic == RECEIVED:
            found[event.data["provider_message_id"]].append(event)
    return found


# ── what went out ──────────────────────────────────────────────────────────────────────────────


def intent_first(evidence: Evidence) -> Iterator[Violation]:
    """I4: every acceptance in L follows an intent that was committed in E."""
    found = messages(evidence.events)
    for send in evidence.sends:
        message = found.get(send.message)
        intent = message.attempts.get(send.attempt) if message else None
        if intent is None:
            yield Violation("I4", f"{send.sid} was sent without an intent ({_name(send)})")
        elif intent.committed > send.at + CLOCK:
            late = intent.committed - send.at
            yield Violation("I4", f"{send.sid} was sent {late:.3f} s before its intent ({_name(send)})")


def sent_once(evidence: Evidence) -> Iterator[Violation]:
    """I5: a message has one acceptance in L, and one more for each resend that somebody authorised."""
    found = messages(evidence.events)
    attempts = Counter((each.message, each.attempt) for each in evidence.sends)
    for (name, attempt), many in attempts.items():
        if many > 1:
            yield Violation("I5", f"attempt {attempt} of message {name} was taken {many} times", "duplicated")
    for name, many in Counter(each for each, _ in attempts).items():
        allowed = 1 + (found[name].resends if name in found else 0)
        if many > allowed:
            yield Violation(
                "I5", f"message {name} was taken {many} times, {allowed} were allowed", "duplicated"
            )
    for name, message in found.items():
        yield from (Violation("I5", f"message {name}: {each}") for each in message.repeated)


def settled(evidence: Evidence) -> Iterator[Violation]:
    """I6: no attempt stays open; what is in doubt shows in P as in E; what E says agrees with L."""
    found = messages(evidence.events)
    for name, message in found.items():
        overdue = evidence.now - message.send_by - SETTLED_WITHIN
        if message.status == "attempting" and (overdue > 0 or evidence.final):
            what = f"message {name} is still being handed over, {overdue:.0f} s overdue"
            yield Violation("I6", what, "late")
        if evidence.final and message.status in {"requested", "postponed"}:
            yield Violation("I6", f"message {name} is still {message.status}", "late")
    as_seen = messages(each for each in evidence.events if each.position <= evidence.views.position)
    in_doubt = {name for name, message in as_seen.items() if message.status == "in_doubt"}
    for name in in_doubt ^ evidence.views.in_doubt:
        where = "in the views only" if name in evidence.views.in_doubt else "in the store only"
        yield Violation("I6", f"message {name} is in doubt {where}")
    yield from _agrees_with_ledger(evidence, found)


def _agrees_with_ledger(evidence: Evidence, found: dict[str, Message]) -> Iterator[Violation]:
    """What the store says the provider has, the provider has; what it surely has not, it has not."""
    taken = {each.sid for each in evidence.sends}
    attempts = {(each.message, each.attempt) for each in evidence.sends}
    for name, message in found.items():
        for sid, since in message.accepted_as.items():
            if sid not in taken and since < evidence.now:
                yield Violation("I6", f"message {name} counts as accepted, and {sid} was never taken")
        for attempt in message.not_taken:
            if (name, attempt) in attempts:
                yield Violation("I6", f"attempt {attempt} of message {name} counts as not taken, and was")


def _name(send: Send) -> str:
    return f"message {send.message}, attempt {send.attempt}"


# ── copies, and what is made of the events ─────────────────────────────────────────────────────


def views_follow(evidence: Evidence) -> Iterator[Violation]:
    """I7: the hash of each read model is that of one rebuilt from zero."""
    if evidence.rebuilt is None:
        return
    grown, rebuilt = evidence.views.hashes, evidence.rebuilt.hashes
    for table in sorted(grown.keys() | rebuilt.keys()):
        if grown.get(table) != rebuilt.get(table):
            yield Violation("I7", f"table {table} of the views differs from a rebuild")


def nothing_skipped(evidence: Evidence) -> Iterator[Violation]:
    """I8: one who follows the store sees every position that a full scan finds."""
    there = {each.position for each in evidence.events}
    for position in sorted(there - evidence.tailed):
        yield Violation("I8", f"position {position} was passed over by one who followed the store")
    for position in sorted(evidence.tailed - there):
        yield Violation("I8", f"position {position} was seen and is gone")


def copied(evidence: Evidence) -> Iterator[Violation]:
    """I9: K without its duplicates, by position, is E; in order in each partition, so for each key."""
    events = {each.position: each for each in evidence.events}
    keys: dict[str, tuple[str, int]] = {}
    last: defaultdict[int, int] = defaultdict(int)
    seen: set[int] = set()
    newest = evidence.events[-1].position if evidence.events else 0
    for copy in sorted(evidence.copies, key=lambda each: (each.partition, each.offset)):
        if copy.position > newest:  # told after the store was read
            continue
        event = events.get(copy.position)
        if event is None or event.digest != copy.digest:
            yield Violation("I9", f"position {copy.position} on the topic is not what is in the store")
            continue
        key = keys.setdefault(event.stream, (copy.key, copy.partition))
        if key != (copy.key, copy.partition):
            yield Violation("I9", f"position {copy.position} has another key than its stream's others")
        if copy.position in seen:
            continue
        seen.add(copy.position)
        if copy.previous != last[copy.partition]:
            yield Violation(
                "I9",
                f"position {copy.position} follows {last[copy.partition]} in partition {copy.partition},"
                f" and says {copy.previous}",
            )
        if copy.position < last[copy.partition]:
            yield Violation("I9", f"position {copy.position} is out of order in its partition")
        last[copy.partition] = copy.position
    for position in sorted(each for each in events.keys() - seen if each <= evidence.complete):
        yield Violation("I9", f"position {position} is not on the topic", "lost")


# ── idle conversations ─────────────────────────────────────────────────────────────────────────

LEASE = 15.0  # seconds: who took a dead process's work over has it by then
LATE = 5.0


def ended_when_idle(evidence: Evidence) -> Iterator[Violation]:
    """I10: an idle end comes once, never early, and at most 5 s late after recovery."""
    notices = Counter(
        each.data["conversation_id"]
        for each in evidence.events
        if each.topic == REQUESTED and each.data["purpose"] == "idle_timeout"
    )
    for name, many in notices.items():
        if many > 1:
            yield Violation("I10", f"conversation {name} has {many} idle notices", "duplicated")
    waiting = _waiting_texts(evidence)
    for name, found in conversations(evidence.events).items():
        if len(found.ends) > 1:
            yield Violation("I10", f"conversation {name} ended {len(found.ends)} times", "duplicated")
        end = found.ends[0] if found.ends else None
        if end and end.data["reason"] == "idle":
            if end.at < found.due - CLOCK:
                yield Violation("I10", f"conversation {name} ended {found.due - end.at:.3f} s early")
            for text, position in waiting[found.thread]:
                if position > end.position and text.accepted < found.due:
                    yield Violation("I10", f"conversation {name} ended before text {text.sid}, accepted")
        late = _late(found.due, end.committed if end else None, evidence)
        if late and found.is_open_until_idle:
            yield Violation("I10", f"conversation {name} ended {late:.1f} s after its idle time, or not yet")


def _waiting_texts(evidence: Evidence) -> defaultdict[str, list[tuple[Text, int]]]:
    """By thread: the accepted texts, and where they stand."""
    found: defaultdict[str, list[tuple[Text, int]]] = defaultdict(list)
    for sid, events in _received(evidence).items():
        text = evidence.texts.get(sid)
        if text is not None and text.accepted:
            found[events[0].data["thread_id"]].append((text, events[0].position))
    return found


def _late(due: float, ended: float | None, evidence: Evidence) -> float:
    """How many seconds late it ended, judged in calm only; 0 when it was in time."""
    for calm in evidence.calm:
        last = max(due, calm.start + LEASE) + LATE
        if due < calm.end and last <= calm.end and (ended is None or ended > last):
            return (ended or calm.end) - due
    return 0.0


def drained(evidence: Evidence) -> Iterator[Violation]:
    """I13: after outages of 60 s at the most, the backlog drains within 60 s, unaided."""
    yield from (Violation("I13", each) for each in evidence.undrained)


CHECKS: tuple[Callable[[Evidence], Iterator[Violation]], ...] = (
    received_once,
    replies_kept,
    nothing_invented,
    in_order,
    intent_first,
    sent_once,
    settled,
    views_follow,
    nothing_skipped,
    copied,
    ended_when_idle,
    drained,
)
