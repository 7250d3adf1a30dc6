"""What is left when something has happened: all that the checker judges by, and nothing else."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Event:
    """An event of the store. Times are seconds since 1970."""

    position: int
    stream: str  # the aggregate's id, 32 hexadecimal digits
    version: int
    topic: str
    at: float  # when it happened, as the event says
    committed: float  # when PostgreSQL committed it
    digest: str  # of the stored bytes
    data: dict[str, Any] = field(default_factory=dict)  # the fields that matter here, opened


@dataclass(frozen=True)
class Copy:
    """A record of the events' topic."""

    partition: int
    offset: int
    key: str
    position: int
    previous: int  # the position of the record before it in its partition, as it says
    digest: str  # of the value


@dataclass(frozen=True)
class Send:
    """What the provider took."""

    sid: str
    message: str  # by the callback that it was given
    attempt: int
    to: str
    body: str
    at: float  # when it was on the ledger's disk


@dataclass(frozen=True)
class Post:
    """One delivery of a webhook to one of the API processes."""

    api: int
    begun: float
    answered: float = 0.0  # 0: no whole answer came
    status: int = 0


@dataclass
class Text:
    """A customer's text and all its posts."""

    sid: str
    customer: str
    ours: str
    body: str
    posts: list[Post] = field(default_factory=list)

    @property
    def accepted(self) -> float:
        """When it was first answered 2xx; 0 when never."""
        return min((each.answered for each in self.posts if 200 <= each.status < 300), default=0.0)

    @property
    def begun(self) -> float:
        """When its first post began."""
        return min(each.begun for each in self.posts)

    def accepted_by(self) -> dict[int, float]:
        """When each API process first answered it 2xx."""
        first: dict[int, float] = {}
        for each in self.posts:
            if 200 <= each.status < 300:
                first[each.api] = min(each.answered, first.get(each.api, each.answered))
        return first


@dataclass
class Reply:
    """What an agent asked to be sent; its text is like no other's."""

    text: str
    message: str = ""  # the id that the answer 201 gave; empty while nobody knows what became of it


@dataclass
class ViewRows:
    """The read models at one moment."""

    position: int = 0
    hashes: dict[str, str] = field(default_factory=dict)  # by table
    in_doubt: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Span:
    """From one moment to another."""

    start: float
    end: float

    def holds(self, moment: float, margin: float = 0.0) -> bool:
        """Whether a moment lies within, or no farther outside than the margin."""
        return self.start - margin <= moment <= self.end + margin


@dataclass
class Evidence:
    """Everything, as of one moment."""

    now: float = 0.0  # just before the ledger was read, and then the events
    complete: int = 0  # up to this position everything had its time to come to rest
    final: bool = False  # nothing is to come any more: what is unsettled stays so
    events: list[Event] = field(default_factory=list)
    tailed: set[int] = field(default_factory=set)  # positions seen by one who followed the store all along
    copies: list[Copy] = field(default_factory=list)
    sends: list[Send] = field(default_factory=list)
    texts: dict[str, Text] = field(default_factory=dict)  # by the provider's id
    replies: list[Reply] = field(default_factory=list)
    views: ViewRows = field(default_factory=ViewRows)
    rebuilt: ViewRows | None = None  # the same position, filled from zero
    calm: list[Span] = field(default_factory=list)  # when nothing was wrong, nor had been just before
    outages: list[Span] = field(default_factory=list)  # of the broker, as any process may have seen them
    forgotten: set[str] = field(default_factory=set)  # customers whose key was destroyed
    undrained: list[str] = field(default_factory=list)  # what did not come to rest in its time


@dataclass(frozen=True)
class Violation:
    """Something that is not as it must be."""

    invariant: str
    what: str
    kind: str = ""  # "lost", "duplicated" or "late" where it is that; late is what may still come
