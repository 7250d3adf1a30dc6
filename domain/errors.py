"""Everything Parley refuses, as one small tree.

ParleyError
├── Refused              the request itself is wrong, or a rule forbids it
│   ├── Invalid          fields are wrong: carries every `FieldError` found
│   ├── NotFound         there is no such thing
│   ├── Forbidden        this person may not
│   └── Clash            it contradicts what is there now (HTTP 409)
├── Conflict             someone else saved first: reload and try again
├── AlreadyTracked       this batch of the log was ingested before
├── LeaseLost            another process owns the lane now
├── Unreadable           encrypted under a key that is gone, or altered
├── Unavailable          something that Parley stands on is away: try again later
│   ├── LogUnavailable   the log cannot promise durability now
│   └── StoreUnavailable the database cannot be reached, or cannot write now
└── OffsetOutOfRange     records were removed before they were read
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from uuid import UUID


class ParleyError(Exception):
    """The root of Parley's own errors."""


@dataclass(frozen=True)
class FieldError:
    """One field that is wrong: its dotted path, and what would be right."""

    field: str
    message: str


class Refused(ParleyError):
    """A request that cannot be granted, with the reason for the person who made it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Invalid(Refused):
    """One or more fields are wrong."""

    def __init__(self, errors: Iterable[FieldError]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(f"{e.field}: {e.message}" for e in self.errors))

    @classmethod
    def field(cls, field: str, message: str) -> "Invalid":
        """An error of a single field."""
        return cls([FieldError(field, message)])


class NotFound(Refused):
    """There is no such thing."""


class Forbidden(Refused):
    """The caller may not do this."""


class Clash(Refused):
    """The request contradicts the present state: a code used twice, a conversation already open."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class Conflict(ParleyError):
    """Another writer was first. `stale` names the streams to reload; empty when unknown."""

    def __init__(self, stale: Collection[UUID] = ()) -> None:
        super().__init__(f"{len(stale)} streams changed meanwhile")
        self.stale = frozenset(stale)


class AlreadyTracked(ParleyError):
    """The position of a batch is not beyond the stored one: somebody ingested it already."""


class LeaseLost(ParleyError):
    """The lease under which something was to be saved belongs to another owner now."""


class Unreadable(ParleyError):
    """Something encrypted cannot be opened: its key was destroyed, or it was altered."""


class Unavailable(ParleyError):
    """Something that Parley stands on is away. Whoever asked may try the very same again."""


class LogUnavailable(Unavailable):
    """The log cannot promise durability now. Some of what was to be appended may be there all the same."""


class StoreUnavailable(Unavailable):
    """The database cannot be reached, or cannot write now. What was to be saved may be saved all the same."""


class OffsetOutOfRange(ParleyError):
    """Records beyond the given offset were removed before they were read: an alarm, never a reset."""
