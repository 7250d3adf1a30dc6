"""Save units for ever, printing each one's offset once it is saved: shared counter, partition, database."""

import sys
from uuid import UUID, uuid4

from domain.errors import Conflict
from domain.ports import Source, Unit
from tests.adapters.event_store.worlds import world_on
from tests.contracts.event_store_contract import FakeClock, counter
from tests.contracts.samples import Chat
from tests.fakes.databases import from_words

shared, partition = UUID(sys.argv[1]), int(sys.argv[2])
store = world_on(from_words(sys.argv[3:]), FakeClock()).store

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
