"""The desk's live stream: server-sent events (WHATWG HTML, section 9.2) about one agent's work.

Events are `conversation`, `message`, `agent` and, after a time of silence, `heartbeat`; their data are the
API's documents. The last event of what is told at once carries the position as its id: a stream that goes on
from there (`Last-Event-ID`, or `after`) misses nothing and tells nothing twice.
"""

import json
from collections.abc import Iterator

from flask import Flask, Response, current_app
from pydantic import BaseModel, Field
from werkzeug.exceptions import ServiceUnavailable

from adapters.accounts import Role
from api.answers import LARGEST_NUMBER, Query, blueprint
from api.auth import allow, current_actor
from api.documents import agent_document, conversation_document, message_document
from api.services import Services, services
from api.stream_hub import Stream, StreamHub, TooManyStreams
from domain.errors import Invalid
from projections.desk_queries import Changes

stream = blueprint("stream", "What happens at an agent's desk, as it happens.")

_HUB = "parley_streams"
_RECONNECT_AFTER = 1000  # milliseconds, told to the browser
_RETRY_AFTER = 5  # seconds, when there are too many

_EVENT_STREAM = {"description": "Server-sent events", "content": {"text/event-stream": {}}}


class LastEventId(BaseModel):
    """Where a stream that broke off had come to."""

    last_event_id: str | None = Field(
        default=None, alias="Last-Event-ID", description="Sent by the browser itself; goes before `after`."
    )


def register(app: Flask, services: Services) -> None:
    """Give the application the hub of its streams."""
    app.extensions[_HUB] = StreamHub(services.views, services.presence, services.streams)


def close_streams(app: Flask) -> None:
    """End every stream of an application, where it has streams: before its server is stopped."""
    if _HUB in app.extensions:
        hub_of(app).close()


def hub_of(app: Flask) -> StreamHub:
    """The hub of an application's streams; to be closed before its server is stopped."""
    hub: StreamHub = app.extensions[_HUB]
    return hub


@stream.get("/desk/stream", responses={200: _EVENT_STREAM})
@allow(Role.AGENT)
def stream_desk(query: Query, header: LastEventId) -> Response:
    """Follow one's own desk. While a stream is open, the agent counts as connected."""
    try:
        opened = hub_of(current_app).open(current_actor().login, _position(header, query))
    except TooManyStreams:
        most = services().streams
        raise ServiceUnavailable(
            f"{most} streams are open, the most there may be", retry_after=_RETRY_AFTER
        ) from None
    response = Response(_written(opened), mimetype="text/event-stream")
    response.headers["X-Accel-Buffering"] = "no"  # a proxy passes each event on at once
    response.call_on_close(opened.close)
    return response


def _position(header: LastEventId, query: Query) -> int | None:
    given = (header.last_event_id or "").strip()
    if not given:
        return query.after
    if not (given.isascii() and given.isdecimal() and len(given) < 20 and int(given) <= LARGEST_NUMBER):
        raise Invalid.field("Last-Event-ID", "must be the id of an event of this stream")
    return int(given)


def _written(opened: Stream) -> Iterator[str]:
    yield f"retry: {_RECONNECT_AFTER}\n\n"
    for changes in opened:
        yield _events(changes)


def _events(changes: Changes) -> str:
    events: list[tuple[str, BaseModel | None]] = []
    events += [("conversation", conversation_document(each)) for each in changes.conversations]
    events += [("message", message_document(each)) for each in changes.messages]
    if changes.agent:
        events.append(("agent", agent_document(changes.agent)))
    lines = [
        f"event: {name}\ndata: {document.model_dump_json() if document else json.dumps({})}"
        for name, document in events or [("heartbeat", None)]
    ]
    return "\n\n".join(lines) + f"\nid: {changes.position}\n\n"
