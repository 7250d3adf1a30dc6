"""The event store while PostgreSQL goes away: nobody believes what is not so."""

from collections.abc import Callable, Iterator
from uuid import UUID, uuid4

import psycopg
import pytest

from domain.errors import AlreadyTracked, StoreUnavailable
from domain.ports import Source, Unit
from tests.adapters.event_store.worlds import StoredWorld, world_on
from tests.contracts.event_store_contract import ALL, FakeClock, saved_counter
from tests.contracts.samples import Counter
from tests.fakes.databases import SchemaPlace, proxy_to, store_in, through
from tests.fakes.tcp_proxy import Direction, TcpProxy
from tests.servers.choose import Postgres

COMMIT = b"COMMIT\0"
"""In the client's Parse message and in the server's CommandComplete."""


@pytest.fixture
def proxy(postgres: Postgres) -> Iterator[TcpProxy]:
    with proxy_to(postgres.url) as proxy:
        yield proxy


@pytest.fixture
def behind(proxy: TcpProxy, postgres: Postgres, schema: str, clock: FakeClock) -> Iterator[StoredWorld]:
    """A store that is reached through the proxy, its connections open."""
    store_in(postgres.url, schema, durable=False).close()
    place = SchemaPlace(through(proxy, postgres.url), schema)
    world = world_on(place.open(), clock)
    world.store.save(Unit([Counter.start()], Source(0, 0)))
    yield world
    place.close()


@pytest.fixture
def there(postgres: Postgres, schema: str, behind: StoredWorld, clock: FakeClock) -> Iterator[StoredWorld]:
    """The same store as others see it."""
    place = SchemaPlace(postgres.url, schema)
    yield world_on(place.open(), clock)
    place.close()


def ids(world: StoredWorld) -> set[UUID]:
    return {each.event.originator_id for each in world.store.read(0, ALL)}


# ── a commit whose answer is lost ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize("source", [None, Source(0, 7)])
def test_a_save_whose_answer_is_lost_is_known_to_be_there(
    proxy: TcpProxy, behind: StoredWorld, there: StoredWorld, source: Source | None
) -> None:
    new = Counter.start()
    proxy.cut_after(COMMIT, Direction.TO_CLIENT)
    position = behind.store.save(Unit([new], source))
    assert proxy.cuts == 1
    assert position == there.store.head() == behind.store.head()
    assert new.id in ids(there)
    assert new.pending_events == []
    assert there.store.ingested(0) == (source.offset if source else 0)


def test_a_source_whose_answer_is_lost_is_known_to_be_there(
    proxy: TcpProxy, behind: StoredWorld, there: StoredWorld
) -> None:
    proxy.cut_after(COMMIT, Direction.TO_CLIENT)
    assert behind.store.save(Unit(source=Source(0, 7))) == there.store.head()
    assert proxy.cuts == 1
    assert there.store.ingested(0) == 7
    with pytest.raises(AlreadyTracked):
        behind.store.save(Unit(source=Source(0, 7)))


@pytest.mark.parametrize("aggregates", [0, 1])
def test_a_commit_that_never_arrives_saves_nothing(
    proxy: TcpProxy, behind: StoredWorld, there: StoredWorld, aggregates: int
) -> None:
    head = there.store.head()
    unit = Unit([Counter.start() for _ in range(aggregates)], Source(0, 7))
    proxy.cut_after(COMMIT, Direction.TO_SERVER)
    with pytest.raises(StoreUnavailable, match="PostgreSQL"):
        behind.store.save(unit)
    assert proxy.cuts == 1
    assert (there.store.head(), there.store.ingested(0)) == (head, 0)
    assert behind.store.save(unit) == there.store.head()  # the very same can be tried again
    assert there.store.ingested(0) == 7


def test_while_nobody_can_say_whether_it_is_there_nothing_is_promised(
    proxy: TcpProxy, behind: StoredWorld, there: StoredWorld
) -> None:
    new = Counter.start()
    proxy.refuse()
    proxy.cut_after(COMMIT, Direction.TO_CLIENT)
    with pytest.raises(StoreUnavailable):
        behind.store.save(Unit([new]))
    assert new.id in ids(there)
    proxy.accept()
    assert new.id in ids(behind)


# ── a server that is away ──────────────────────────────────────────────────────────────────────


def test_a_server_that_is_away_is_one_clear_error_at_once(proxy: TcpProxy, behind: StoredWorld) -> None:
    proxy.refuse()
    proxy.drop_connections()
    for deed in (lambda: behind.store.save(Unit([Counter.start()])), behind.store.head, lambda: ids(behind)):
        with pytest.raises(StoreUnavailable, match=r"refused|closed|reset|terminat"):
            deed()
    proxy.accept()
    saved_counter(behind.store)


@pytest.mark.parametrize("how", ["crash", "kill"])
def test_a_server_that_crashed_loses_nothing_and_the_next_save_works(
    new_postgres: Callable[[], Postgres], clock: FakeClock, how: str
) -> None:
    server = new_postgres()
    place = SchemaPlace(server.url, "parley", durable=True)
    store_in(server.url, "parley").close()
    world = world_on(place.open(), clock)
    saved = set()
    for _ in range(2):
        saved |= {saved_counter(world.store) for _ in range(20)}
        getattr(server, how)()
        with pytest.raises(StoreUnavailable):
            world.store.save(Unit([Counter.start(UUID(int=0))]))
        server.start()
        saved.add(saved_counter(world.store))  # what was learnt above: no second error
        assert ids(world) == saved
    server.crash()
    server.start()
    failures = 0
    while True:
        try:
            saved.add(saved_counter(world.store))
            break
        except StoreUnavailable:
            failures += 1
    assert failures <= 1
    assert ids(world) == saved
    place.close()


def test_connections_that_the_server_ended_meanwhile_cost_no_error(
    behind: StoredWorld, postgres: Postgres
) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND application_name = 'parley'"
        )
    assert behind.store.save(Unit([Counter.start(uuid4())])) > 0
