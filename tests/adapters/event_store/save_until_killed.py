"""Save units for ever, printing each one's offset once it is saved: store, shared counter, partition."""

import sys
from pathlib import Path
from uuid import UUID, uuid4

from domain.errors import Conflict
from domain.ports import Source, Unit
from tests.adapters.event_store.worlds import open_sqlite
from tests.contracts.event_store_contract import FakeClock, counter
from tests.contracts.samples import Chat

store = open_sqlite(Path(sys.argv[1]), FakeClock()).store
shared, partition = UUID(sys.argv[2]), int(sys.argv[3])

while True:
    offset = store.ingested(partition) + 1
    mine = counter(store, shared)
    mine.count()
    chat = Chat.start(uuid4())
    chat.write("from a process")
    try:
        store.save(Unit([mine, chat], Source(partition, offset)))
    except Conflict:
        continue
    sys.stdout.write(f"{offset}\n")
    sys.stdout.flush()
