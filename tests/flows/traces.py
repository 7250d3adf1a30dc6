"""Where something stands in clear: in files of the embedded shape, or in tables and topics of the cluster."""

from collections.abc import Iterator

from pydantic import SecretStr

from adapters.kafka.reader import Reader
from adapters.kafka.topics import events_topic, ingress_topic
from database.database import Database
from tests.flows.stage import Stage
from workers.storage import kafka_connection

ALL = 1_000_000


def environment(stage: Stage) -> dict[str, str]:
    """The stage's settings as variables, for a command that an operator runs beside it."""
    shape = {
        f"PARLEY_{name.upper()}": value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in stage.shape.items()
    }
    return {"PARLEY_DATA_DIR": str(stage.folder), **shape}


def places_with(stage: Stage, *canaries: str) -> list[str]:
    """The places in which any of these stands: files, tables as `views.name`, topics."""
    return [name for name, octets in _places(stage) if any(canary.encode() in octets for canary in canaries)]


def _places(stage: Stage) -> Iterator[tuple[str, bytes]]:
    for path in stage.folder.rglob("*"):
        if path.is_file():
            yield path.name, path.read_bytes()
    if stage.shape:
        yield from _tables("store", stage.platform.storage.store)
        yield from _tables("views", stage.platform.storage.views)
        yield from _topics(stage)


def _tables(name: str, database: Database) -> Iterator[tuple[str, bytes]]:
    for table in database.tables():
        with database.reading() as cursor:
            rows = cursor.all(f"SELECT * FROM {table}")  # noqa: S608 - a name that the database itself gave
        values = [value for row in rows for value in row.values()]
        yield (
            f"{name}.{table}",
            b"\n".join(each if isinstance(each, bytes) else str(each).encode() for each in values),
        )


def _topics(stage: Stage) -> Iterator[tuple[str, bytes]]:
    settings = stage.platform.settings
    for topic in (ingress_topic(settings.namespace), events_topic(settings.namespace)):
        reader = Reader(kafka_connection(settings), topic)
        for partition in range(reader.partitions):
            for record in reader.read(partition, -1, ALL):
                yield topic, b"\n".join([record.key, record.value, str(record.headers).encode()])
        reader.close()
