"""The fault proxy before PostgreSQL, as a process of its own: what hangs here holds nobody else up.

    python -m faults.proxy --to N --log FILE

It takes commands from its standard input, a line each: `lose-commit` throws the server's next word of a
finished COMMIT away and breaks that connection; `hold` and `release` stop the flow and let it go on; `drop`
breaks all connections. The log gets the port first, then a line for each commit whose answer was lost.
"""

import argparse
import sys
import threading
from pathlib import Path
from typing import TextIO

from tests.fakes.tcp_proxy import Direction, TcpProxy

COMMITTED = b"C\x00\x00\x00\x0bCOMMIT\x00"
"""PostgreSQL's CommandComplete of a COMMIT (PostgreSQL manual, "Message Formats")."""

LOOK_EVERY = 0.02


def main() -> None:
    """Relay until the standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m faults.proxy")
    parser.add_argument("--to", type=int, required=True)
    parser.add_argument("--log", type=Path, required=True)
    given = parser.parse_args()
    with TcpProxy("127.0.0.1", given.to) as proxy, given.log.open("a", buffering=1, encoding="ascii") as log:
        log.write(f"port {proxy.port}\n")
        threading.Thread(target=_note_cuts, args=(proxy, log), daemon=True).start()
        commands = {
            "lose-commit": lambda: proxy.cut_after(COMMITTED, Direction.TO_CLIENT),
            "hold": proxy.hold,
            "release": proxy.release,
            "drop": proxy.drop_connections,
        }
        for line in sys.stdin:
            commands[line.strip()]()


def _note_cuts(proxy: TcpProxy, log: TextIO) -> None:
    noted = 0
    nap = threading.Event()
    while not nap.wait(LOOK_EVERY):
        while noted < proxy.cuts:
            noted += 1
            log.write("lost-commit\n")


if __name__ == "__main__":
    main()
