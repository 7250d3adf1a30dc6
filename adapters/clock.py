"""The machine's clock and random source, as ports."""

import uuid
from datetime import UTC, datetime
from uuid import UUID


class SystemClock:
    """Fills the port `Clock`."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class SystemRandomIds:
    """Fills the port `RandomIds` with RFC 9562 version 4 ids."""

    def new(self) -> UUID:
        return uuid.uuid4()
