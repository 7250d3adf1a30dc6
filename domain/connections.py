"""Connections. A connection knows which mappings name it, so that it is never removed under them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

from domain.aggregate import Aggregate
from domain.errors import Clash


@dataclass(frozen=True)
class ConnectionSettings:
    """An AWS account or an Amazon Connect instance, as mappings refer to it."""

    name: str
    region: str
    role: str | None = None  # ARN to assume; None: the ambient credentials
    external_id: str | None = None
    instance_id: str | None = None  # of Amazon Connect
    streaming_topic: str | None = None  # ARN, for Connect's chat streaming
    topics: tuple[str, ...] = ()  # ARNs of SNS topics that may be believed
    queues: tuple[str, ...] = ()  # URLs of SQS queues to read


class Connection(Aggregate):
    """An AWS account or an Amazon Connect instance that mappings refer to."""

    TOPIC = "parley.connection.v1"

    class Created(Aggregate.Created):
        """Somebody added the connection."""

        TOPIC = "parley.connection.created.v1"
        code: str
        settings: ConnectionSettings
        by: str

        def apply(self, aggregate: "Connection") -> None:
            aggregate.code = self.code
            aggregate.settings = self.settings
            aggregate.removed = False
            aggregate.users = frozenset()

    class Modified(Aggregate.Event):
        """Its settings were replaced, or it was added again after a removal."""

        TOPIC = "parley.connection.modified.v1"
        settings: ConnectionSettings
        by: str

        def apply(self, aggregate: "Connection") -> None:
            aggregate.settings = self.settings
            aggregate.removed = False

    class UserAdded(Aggregate.Event):
        """A mapping names it now."""

        TOPIC = "parley.connection.user-added.v1"
        user: str

        def apply(self, aggregate: "Connection") -> None:
            aggregate.users |= {self.user}

    class UserRemoved(Aggregate.Event):
        """A mapping names it no more."""

        TOPIC = "parley.connection.user-removed.v1"
        user: str

        def apply(self, aggregate: "Connection") -> None:
            aggregate.users -= {self.user}

    class Removed(Aggregate.Event):
        """It exists no more."""

        TOPIC = "parley.connection.removed.v1"
        by: str

        def apply(self, aggregate: "Connection") -> None:
            aggregate.removed = True

    def __init__(self) -> None:
        """Declares the state; `Created` fills it."""
        self.code: str
        self.settings: ConnectionSettings
        self.removed: bool
        self.users: frozenset[str]

    @classmethod
    def create(
        cls, connection_id: UUID, code: str, settings: ConnectionSettings, by: str, at: datetime
    ) -> Self:
        """Add a connection."""
        return cls._begin(cls.Created, connection_id, at, code=code, settings=settings, by=by)

    def modify(self, settings: ConnectionSettings, by: str, at: datetime) -> None:
        """Replace the settings, or add it again."""
        if self.removed or settings != self.settings:
            self._record(self.Modified, at, settings=settings, by=by)

    def add_user(self, user: str, at: datetime) -> None:
        """Remember that this mapping names it."""
        if user not in self.users:
            self._record(self.UserAdded, at, user=user)

    def remove_user(self, user: str, at: datetime) -> None:
        """Forget that this mapping names it."""
        if user in self.users:
            self._record(self.UserRemoved, at, user=user)

    def remove(self, by: str, at: datetime) -> None:
        """Remove it. Raises Clash, naming the users, while there are any."""
        if self.users:
            raise Clash(f"connection {self.code} is used by {', '.join(sorted(self.users))}")
        self._record(self.Removed, at, by=by)
