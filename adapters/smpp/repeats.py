"""Which inbound texts may be repeats: SMPP gives them no id, so only when they come can tell.

An SMSC delivers again what we have not acknowledged. That can only be so

- just after a connection ended, on whichever one it then comes: our acknowledgement may have been lost;
- just after the first bind of a slot in this process, which cannot know how the last connection ended;
- after we refused the very text, because it could not be made durable (it may have been, all the same).

Whether a text under suspicion is a repeat, ingest decides: it knows what has been accepted. It is told since
when equal ones may have been, and how many have come under the suspicion, this one included: what came more
often than it was accepted is new.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from domain.facts import TextWithoutId

SUSPECT_FOR = timedelta(seconds=60)
"""After a connection ended, and again after the bind that follows: SMSCs deliver first what they kept."""

UNKNOWN_FOR = timedelta(minutes=10)
"""Before the first bind: an earlier process' connection may have ended unacknowledged so long ago."""

UNPROVEN_FOR = timedelta(seconds=10)
"""Before acknowledgements are proven to have arrived: a text is accepted that much earlier than it is
acknowledged, at most.
"""

REFUSED_FOR = timedelta(hours=1)
"""How long an SMSC may take to deliver again what we refused."""

MOST_REFUSED = 10_000

_CLOCK_GRAIN = timedelta(seconds=1)  # the log's times may be cut to the millisecond


@dataclass
class _Suspicion:
    """Texts accepted since then may come again; how many of each content have come under it."""

    since: datetime
    until: datetime
    seen: Counter[UUID] = field(default_factory=Counter)


@dataclass
class _Refusal:
    since: datetime
    until: datetime
    seen: int


class Repeats:
    """The suspicions of one carrier. Only to be used on the event loop."""

    def __init__(self) -> None:
        self._suspicion: _Suspicion | None = None
        self._refused: dict[UUID, _Refusal] = {}

    def ended(self, at: datetime, proven_at: datetime) -> None:
        """A connection ended whose acknowledgements had surely arrived up to a moment. What was kept since
        may come again: counting starts anew.
        """
        since = proven_at - UNPROVEN_FOR
        if self._suspicion and at <= self._suspicion.until:  # what was suspected may not have come yet
            since = min(since, self._suspicion.since)
        self._suspicion = _Suspicion(since, at + SUSPECT_FOR)
        for refusal in self._refused.values():
            refusal.seen = 0

    def bound(self, at: datetime, *, is_first: bool) -> None:
        """A connection was bound, the first of its slot in this process or another."""
        if self._suspicion is None or (is_first and self._suspicion.until < at):
            self._suspicion = _Suspicion(at - UNKNOWN_FOR, at)
        self._suspicion.until = max(self._suspicion.until, at + SUSPECT_FOR)

    def judged(self, text: TextWithoutId, at: datetime) -> TextWithoutId:
        """The text, with what there is to suspect of it when it comes at this time."""
        refusal = self._refused.get(text.content)
        if refusal and at <= refusal.until:
            refusal.seen += 1
            return replace(text, repeats_since=refusal.since, occurrence=refusal.seen)
        if self._suspicion and at <= self._suspicion.until:
            self._suspicion.seen[text.content] += 1
            return replace(
                text,
                repeats_since=self._suspicion.since,
                occurrence=self._suspicion.seen[text.content],
            )
        return text

    def refused(self, texts: Iterable[TextWithoutId], came_at: datetime) -> None:
        """These texts, which came then, were refused: the next ones of their kind take their places."""
        for text in texts:
            known = self._refused.pop(text.content, None)
            before = max(text.occurrence, 1) - 1
            self._refused[text.content] = _Refusal(
                since=text.repeats_since or (known.since if known else came_at - _CLOCK_GRAIN),
                until=came_at + REFUSED_FOR,
                seen=min(before, known.seen) if known else before,
            )
        while len(self._refused) > MOST_REFUSED:
            del self._refused[next(iter(self._refused))]
