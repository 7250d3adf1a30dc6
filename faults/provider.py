"""The provider simulator: the tests' Twilio, with more that can go wrong and a ledger that says when.

python -m faults.provider --ledger FILE --port N --number +15005550006 --public URL --reach URL,URL
"""

import argparse
import itertools
import json
import queue
import random
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from contracts.far_end import Fault
from tests.fakes.gateway import Ledger, Record, post
from tests.fakes.twilio import FakeTwilio
from tests.fakes.twilio_state import ACCOUNT_SID

EARLY = "receipt-first"
"""The next message's receipts are there before the answer to its request."""

ODD = 0.1  # of the receipts are told twice, and as many in the wrong order
RECEIPTS = ("sent", "delivered")


class DatedLedger(Ledger):
    """A ledger that says when each entry was made; it is on disk a moment later."""

    def append(self, kind: str, **entry: Any) -> None:
        super().append(kind, **entry, at=time.time())


class Provider(FakeTwilio):
    """Tells receipts of every message it takes: most after its answer, some before, twice or out of order."""

    def __init__(self, ledger: Path, port: int, public: str, reach: Sequence[str], seed: int) -> None:
        turns = itertools.cycle(reach)

        def deliver(url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
            return post(next(turns) + url.removeprefix(public), headers, body)

        super().__init__(ledger, port=port, deliver=deliver)
        self.ledger.close()
        self.ledger = DatedLedger(ledger)
        self._random = random.Random(seed)
        self._early = 0
        self._to_tell: queue.SimpleQueue[str] = queue.SimpleQueue()
        for _ in range(4):  # one that waits for a process that hangs does not hold up the others
            threading.Thread(target=self._tell_all, daemon=True).start()

    def fail_next(self, fault: str, times: int = 1) -> None:
        if fault == EARLY:
            self._early += times
        else:
            super().fail_next(fault, times)

    def take_fault(self) -> Fault | None:
        fault = super().take_fault()
        if fault is not None:
            self.ledger.append("fault", fault=fault.value)
        return fault

    def listed(self, query: Mapping[str, str]) -> list[Record]:
        """As the tests' Twilio, but made for many: those to others are left out first."""
        alike = [
            {name: value for name, value in each.items() if name != "callback"}
            for each in list(self.messages.values())
            if each["to"] == query.get("To", each["to"]) and each["from"] == query.get("From", each["from"])
        ]
        return alike[::-1]

    def accepted_one(self, sid: str) -> None:
        if self._early > 0:
            self._early -= 1
            self.ledger.append("fault", fault=EARLY)
            self._tell(sid, list(RECEIPTS))
        else:
            self._to_tell.put(sid)

    def _tell_all(self) -> None:
        while True:
            sid = self._to_tell.get()
            receipts = list(RECEIPTS)
            luck = self._random.random()
            if luck < ODD:
                receipts.append(receipts[0])
            elif luck < 2 * ODD:
                receipts.reverse()
            self._tell(sid, receipts)

    def _tell(self, sid: str, receipts: Sequence[str]) -> None:
        for status in receipts:
            try:
                self.advance(sid, status)
            except OSError:  # nobody there: Twilio does not try again either
                self.ledger.append("undelivered-callback", sid=sid, status=status)


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(prog="python -m faults.provider")
    parser.add_argument("--ledger", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument(
        "--number", action="append", required=True, help="one of the account; may be repeated"
    )
    parser.add_argument("--public", required=True, help="what the callbacks' URLs begin with ...")
    parser.add_argument("--reach", required=True, help="... and where that is reached, with commas between")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    reach = given.reach.split(",")
    with Provider(given.ledger, given.port, given.public, reach, given.seed) as provider:
        provider.numbers |= set(given.number)
        sys.stdout.write(json.dumps({"url": provider.url, "account_sid": ACCOUNT_SID}) + "\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
