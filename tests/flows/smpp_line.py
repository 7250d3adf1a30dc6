"""A number by SMPP on the stage: a mapping as an admin makes it, and an SMSC of our own behind it.

The sessions live in a thread of their own and in real time. Whatever they are to do is waited for where it
shows, with a deadline: at the SMSC, which says when something changes, or at the carrier. All else keeps to
the stage's clock and thread.
"""

import re
from collections.abc import Sequence
from typing import Any

from adapters.smpp.concatenation import alphabet_of, read
from contracts.providers import wait_until
from domain.alphabets import Alphabet, decode
from tests.fakes.smsc import Delivery, Method, Smsc, Taken
from tests.flows.stage import CUSTOMER, TICK, Agent, Json, Stage

CODE = "SM"
OURS = "+15005550030"


class Line:
    """The number, with what its customers and its SMSC do."""

    def __init__(self, stage: Stage, smsc: Smsc) -> None:
        self.stage = stage
        self.smsc = smsc

    # ── the mapping ────────────────────────────────────────────────────────────────────────────

    def document(self, **fields: Any) -> Json:
        """What an admin sends to add it; `fields` replace what it has."""
        mapping: Json = {
            "kind": "smpp",
            "code": CODE,
            "status": "active",
            "default_country": "US",
            "host": self.smsc.host,
            "port": self.smsc.port,
            "user": self.smsc.system_id,
            "password": self.smsc.password,
            "chat_control": {"suppress_system_messages": True},
            "options": {"segments_per_second": 100, "response_seconds": 1},
            "routes": [{"address": OURS, "display_name": "Text line", "skill_queue": "SUPPORT"}],
        }
        return mapping | fields

    def add(self, **fields: Any) -> None:
        """Add it, and wait until it is bound."""
        self.stage.admin.post("/mappings", self.document(**fields), expect=201)
        self.bound()

    def bound(self) -> None:
        """Wait until the connections stand."""
        self.stage.settle()
        wait_until(lambda: all(each.endswith("bound") for each in re.split("[,;] ", self.words)))

    def stands(self, connection: int) -> None:
        """Wait until it has bound again, so that this is the number of its connection at the SMSC."""
        self.smsc.wait_until(lambda: self.smsc.connections >= connection and self.smsc.bound > 0)
        self.bound()

    @property
    def words(self) -> str:
        """How its connections stand, for people."""
        return self.stage.platform.sender.connections().get(CODE, (False, ""))[1]

    # ── what customers do ──────────────────────────────────────────────────────────────────────

    def text(self, text: str | bytes, customer: str = CUSTOMER, *, coding: int = 0, to: str = OURS) -> None:
        """A customer texts."""
        self.stage.clock.move(TICK)
        delivery = self.smsc.send_text(customer.removeprefix("+"), to.removeprefix("+"), text, coding)
        self.taken_in(delivery)

    def long_text(
        self,
        text: str,
        customer: str = CUSTOMER,
        *,
        method: Method = Method.UDH_8,
        order: Sequence[int] | None = None,
        reference: int = 1,
    ) -> None:
        """A customer sends a text in parts: those of `order`, by number from 1; all, if not given."""
        self.stage.clock.move(TICK)
        parts = self.smsc.send_long_text(
            customer.removeprefix("+"),
            OURS.removeprefix("+"),
            text,
            method=method,
            reference=reference,
            order=order,
        )
        self.taken_in(*parts)

    def taken_in(self, *deliveries: Delivery) -> None:
        """Wait until all are acknowledged, then let follow what follows."""
        self.smsc.wait_until(lambda: all(each.acknowledged for each in deliveries))
        self.stage.settle()

    # ── what the SMSC does ─────────────────────────────────────────────────────────────────────

    def receipt(self, taken: Taken, stat: str = "DELIVRD", **how: Any) -> None:
        """It reports on a message."""
        self.stage.clock.move(TICK)
        self.taken_in(self.smsc.send_receipt(taken, stat, **how))

    def ledger(self, customer: str = CUSTOMER) -> list[str]:
        """The texts that it took for a customer, in order, their parts put together."""
        taken = [each for each in self.smsc.taken if each.destination == customer.removeprefix("+")]
        return texts(taken)

    def in_doubt(self, agent: Agent, text: str = "Your code is 4711") -> Json:
        """The agent's reply, which falls in doubt by what the SMSC was told to do."""
        reply = self.stage.message(agent.reply(self.stage.conversation(), text))
        assert (reply["status"], reply["attempts"][-1]["outcome"]) == ("in_doubt", "in_doubt")
        return reply


def texts(taken: Sequence[Taken]) -> list[str]:
    """What submits say, parts put together. Those of one message follow one another."""
    found: list[str] = []
    octets = b""
    for each in taken:
        coding = each.pdu.fields["data_coding"]
        assert isinstance(coding, int)
        alphabet = alphabet_of(coding, Alphabet.GSM)
        assert alphabet is not None
        part, data = read(each.pdu)
        octets += data
        if part is None or part.number == part.total:
            found.append(decode(octets, alphabet))
            octets = b""
    return found
