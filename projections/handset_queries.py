"""What the demo's handset shows: the texts of one thread, whatever conversations they belong to."""

from uuid import UUID

from database.sql import hexed
from domain.message_values import MessageStatus
from projections.history_documents import MessageView, message_of
from projections.views import Views

ON_THE_HANDSET = (
    MessageStatus.ACCEPTED,
    MessageStatus.QUEUED,
    MessageStatus.SENT,
    MessageStatus.DELIVERED,
    MessageStatus.READ,
)
"""Where an outbound text stands when the carrier has taken it and the phone was there."""


class HandsetQueries:
    """Answers as of the history's position. There is no index for it: only the demo asks."""

    def __init__(self, views: Views) -> None:
        self._views = views

    def texts(self, thread_id: UUID, limit: int) -> list[MessageView]:
        """The thread's last texts, both ways, in order of coming."""
        with self._views.reading() as cursor:
            rows = cursor.all(
                "SELECT * FROM messages WHERE thread_id = :id ORDER BY sequence DESC LIMIT :limit",
                {"id": hexed(thread_id), "limit": limit},
            )
        return [message_of(row) for row in reversed(rows)]


def on_the_handset(message: MessageView) -> bool:
    """Whether the customer's phone shows the text."""
    return message.inbound or message.status in ON_THE_HANDSET
