"""Databases opened for a test, any number in one place."""

from collections.abc import Iterator

import pytest

from database.postgres import PostgresDatabase
from database.sql import Table
from tests.fakes.databases import KINDS, Opened, Place, empty_place

WORDS = Table(
    name="words",
    key=("word",),
    columns="""
        word TEXT NOT NULL,
        number BIGINT
    """,
    indexes={"words_by_number": "(number)"},
)


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A place with one table."""
    for made in empty_place(request, request.param):
        database = made.open()
        if isinstance(database, PostgresDatabase):
            database.make_schema()
        with database.writing() as c:
            for statement in WORDS.ddl:
                database.create(c, statement)
        yield made


@pytest.fixture
def database(place: Place) -> Opened:
    return place.open()


@pytest.fixture
def other(place: Place) -> Opened:
    """The same as another process has it."""
    return place.open()
