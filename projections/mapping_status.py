"""How a mapping does lately."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from database.sql import hexed, moment
from projections.views import Views

_NEWEST = 10_000
"""Messages looked at: an index by mapping would cost every message more than this question is worth."""

_ERRORS = 10


@dataclass(frozen=True)
class SendProblem:
    """An outbound message that did not go as it should."""

    message_id: UUID
    at: datetime  # when it was requested
    status: str
    error_code: str
    detail: str


@dataclass(frozen=True)
class Recent:
    """What the newest messages tell of a mapping."""

    last_text_in: datetime | None
    last_text_out: datetime | None
    problems: tuple[SendProblem, ...]  # the newest first


class MappingStatusQueries:
    """Answers as of the history's position."""

    def __init__(self, views: Views) -> None:
        self._views = views

    def recent(self, mapping_id: UUID) -> Recent:
        """When the last texts came and went, and the last errors, as far as the newest messages tell."""
        newest = f"(SELECT * FROM messages ORDER BY position DESC LIMIT {_NEWEST})"  # noqa: S608 - a constant
        values = {"mapping": hexed(mapping_id), "limit": _ERRORS}
        with self._views.reading() as cursor:
            last = cursor.all(
                f"SELECT inbound, MAX(at) AS at FROM {newest} AS m"  # noqa: S608 - a constant
                " WHERE mapping_id = :mapping GROUP BY inbound",
                values,
            )
            failed = cursor.all(
                f"SELECT * FROM {newest} AS m WHERE mapping_id = :mapping"  # noqa: S608 - a constant
                " AND error_code IS NOT NULL ORDER BY at DESC LIMIT :limit",
                values,
            )
        at = {bool(row["inbound"]): moment(row["at"]) for row in last}
        return Recent(
            last_text_in=at.get(True),
            last_text_out=at.get(False),
            problems=tuple(
                SendProblem(
                    UUID(row["id"]), moment(row["at"]), row["status"], row["error_code"], row["error_detail"]
                )
                for row in failed
            ),
        )
