"""Spool from four threads for ever, the log being away, printing each value once it is acknowledged."""

import sys
import threading
from pathlib import Path
from uuid import uuid4

from adapters.clock import SystemClock
from adapters.spool import Spool, SpooledLog
from domain.ports import NewRecord
from tests.fakes.log import MoodyLog


def append_for_ever(log: SpooledLog) -> None:
    while True:
        value = uuid4().hex
        log.append([NewRecord(value.encode(), value.encode())])
        sys.stdout.write(f"{value}\n")
        sys.stdout.flush()


away = MoodyLog()
away.away = True
spooled = SpooledLog(away, Spool(Path(sys.argv[1]), SystemClock(), limit_bytes=1 << 30), lambda: None)
for _ in range(4):
    threading.Thread(target=append_for_ever, args=(spooled,)).start()
