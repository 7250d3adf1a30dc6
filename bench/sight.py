"""Looks into the views from outside, to see when a text is there."""

import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

from bench.webhooks import Text

Place = Path | str
"""Where views are: a file, or PostgreSQL's URL with the schema as its search path."""

VISIBLE_WITHIN = 60.0  # seconds

_UNFINISHED = (
    "SELECT (SELECT count(*) FROM conversations WHERE state = 'waiting')"
    " + (SELECT count(*) FROM messages WHERE status IN ('requested', 'attempting'))"
)


class Sight:
    """Sees texts appear that are posted after its making."""

    def __init__(self, views: Place, texts: Sequence[Text]) -> None:
        self._views = views
        self._texts = texts
        with closing(_read_only(views)) as connection:
            row = connection.execute("SELECT coalesce(max(position), 0) FROM messages").fetchone()
        self._position: int = row[0]

    def wait_for_all(self, look_every: float = 0.05) -> list[float]:
        """When each text was seen, on the monotonic clock, to `look_every` seconds. Raises TimeoutError."""
        seen: dict[str, float] = {}
        missing = {each.sid for each in self._texts}
        until = time.monotonic() + VISIBLE_WITHIN
        with closing(_read_only(self._views)) as connection:
            while missing:
                time.sleep(look_every)
                now = time.monotonic()
                for sid in self._new(connection):
                    if sid in missing:
                        missing.remove(sid)
                        seen[sid] = now
                if now > until:
                    raise TimeoutError(
                        f"{len(missing)} texts are not in the view after {VISIBLE_WITHIN:.0f} s"
                    )
        return [seen[each.sid] for each in self._texts]

    def _new(self, connection: Any) -> list[str]:
        rows = connection.execute(
            f"SELECT provider_message_id, position FROM messages WHERE position > {self._position}"  # noqa: S608 - a number
        ).fetchall()
        self._position = max((position for _, position in rows), default=self._position)
        return [sid for sid, _ in rows]


def wait_until_at_rest(views: Place) -> None:
    """Wait until every conversation has an agent and nothing waits to be sent. Raises TimeoutError."""
    until = time.monotonic() + VISIBLE_WITHIN
    with closing(_read_only(views)) as connection:
        while connection.execute(_UNFINISHED).fetchone()[0]:
            if time.monotonic() > until:
                raise TimeoutError(f"conversations wait, or messages, after {VISIBLE_WITHIN:.0f} s")
            time.sleep(0.05)


def _read_only(views: Place) -> Any:
    if isinstance(views, Path):
        return sqlite3.connect(f"{views.as_uri()}?mode=ro", uri=True, isolation_level=None)
    return psycopg.connect(views, autocommit=True)
