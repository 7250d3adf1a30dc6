"""Long lists, a page at a time: each page says where the next begins, however much is added meanwhile."""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from database.sql import Row
from domain.errors import Invalid

T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some items of a list; `next` is the cursor of the following page, None on the last."""

    items: tuple[T, ...]
    next: str | None


def page(rows: Sequence[Row], limit: int, keys: Sequence[str], document: Callable[[Row], T]) -> Page[T]:
    """The page that `limit` + 1 rows make, in an order by these keys."""
    shown = rows[:limit]
    more = len(rows) > limit and shown
    last = cursor_of([shown[-1][key] for key in keys]) if more else None
    return Page(tuple(document(row) for row in shown), last)


def cursor_of(values: Sequence[str | int]) -> str:
    """A cursor that stands just behind the row with these values."""
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def behind(cursor: str, kinds: Sequence[type[str] | type[int]]) -> tuple[str | int, ...]:
    """The values that a cursor was made of. Raises Invalid when it was made for something else."""
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        values = None
    if not isinstance(values, list) or [type(each) for each in values] != list(kinds):
        raise Invalid.field("cursor", "is not one of this list's; begin again without it")
    return tuple(values)
