"""Append from four threads for ever, printing the offset and value of each record once acknowledged."""

import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from adapters.sqlite_log import SQLiteLog
from domain.ports import NewRecord


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


def append_for_ever(log: SQLiteLog) -> None:
    while True:
        value = uuid4().hex
        [appended] = log.append([NewRecord(value.encode(), value.encode())])
        sys.stdout.write(f"{appended.partition} {appended.offset} {value}\n")
        sys.stdout.flush()


log = SQLiteLog(Path(sys.argv[1]), "test", 4, SystemClock())
for _ in range(4):
    threading.Thread(target=append_for_ever, args=(log,)).start()
