"""What every provider goes through with every counterpart, and what came of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from bench.client import Cut
from tests.interop.counterparts import Counterpart
from tests.interop.desk import Desk
from tests.servers.process import ServerFailed

LONG = "Where is my order 4711? It costs {€5}, ^ and it has not come. " * 6
"""In parts, of the GSM alphabet with its extension."""

LONG_WIDE = "Ça va ✓ 👩‍👩‍👧 where is it? " * 12
"""In parts, in UCS-2, with characters that a cut may go through."""

EMOJI = "On my way 👍🏽 🏳️‍🌈 ❤️"

TAKEN = ("accepted", "sent", "delivered")


class Check(StrEnum):
    """What is looked at: the columns of the table."""

    INBOUND = "inbound"
    STARTED = "agent-started"
    LONG = "long text"
    EMOJI = "emoji"
    RECEIPT = "receipt"


@dataclass
class Row:
    """What came of one provider with one counterpart."""

    provider: str
    counterpart: str
    cannot: dict[Check, str] = field(default_factory=dict)  # reasons
    wrong: dict[Check, str] = field(default_factory=dict)
    done: list[Check] = field(default_factory=list)
    missing: str = ""  # why the counterpart is not here at all


class Conversations:
    """The conversations of one counterpart."""

    def __init__(self, desk: Desk, far: Counterpart) -> None:
        self._desk = desk
        self._far = far
        self.row = Row(far.provider, far.name)

    def hold(self) -> Row:
        """Hold them all: what goes wrong is noted, and the rest goes on."""
        self._desk.add_mapping(self._far.mapping())
        for check, hold in (
            (Check.INBOUND, self._inbound),
            (Check.STARTED, self._started),
            (Check.LONG, self._long),
            (Check.EMOJI, self._emoji),
            (Check.RECEIPT, self._receipt),
        ):
            with self._check(check):
                hold()
        for customer in (self._far.customer, self._far.greeting[0]):
            self._desk.end(customer, self._far.number)
        self._desk.delete_mapping(self._far.code)
        return self.row

    @contextmanager
    def _check(self, check: Check) -> Iterator[None]:
        try:
            yield
        except (AssertionError, Cut, RuntimeError, ServerFailed, TimeoutError) as problem:
            self.row.wrong[check] = " ".join(str(problem).split())[:200] or type(problem).__name__
        else:
            self.row.done.append(check)

    # ── the conversations ──────────────────────────────────────────────────────────────────────

    def _inbound(self) -> None:
        """A customer writes, an agent answers, the customer writes again; the agent ends it."""
        far, desk = self._far, self._desk
        if not far.names_addresses:
            far.text("Is anybody there?")
            desk.is_kept_as_unrouted("Is anybody there?")
            self.row.cannot[Check.INBOUND] = far.says_little
            return
        customer, first = far.greeting if far.greeting[0] else (far.customer, "Is it open?")
        if far.can_text:
            far.text(first)
        conversation = desk.hears(customer, far.number, first)
        self._goes_out(lambda: desk.reply(conversation, "From nine to five."), "From nine to five.", customer)
        if far.can_text:
            far.text("Thank you!")
            desk.hears(customer, far.number, "Thank you!")
        desk.end(customer, far.number)

    def _started(self) -> None:
        """An agent starts, the customer answers into the same conversation."""
        far, desk = self._far, self._desk
        text = "Your order is here."
        self._goes_out(lambda: desk.start(far.customer, far.number, text), text, far.customer)
        if far.can_text:
            far.text("I am coming.")
            desk.hears(far.customer, far.number, "I am coming.")

    def _long(self) -> None:
        for text in (LONG, LONG_WIDE):
            self._both_ways(Check.LONG, text)

    def _emoji(self) -> None:
        self._both_ways(Check.EMOJI, EMOJI)

    def _receipt(self) -> None:
        far, desk = self._far, self._desk
        conversation = desk.conversation_with(far.customer, far.number)
        message = desk.reply(conversation, "Good bye")
        desk.becomes(message, "delivered")
        if far.echoes:  # else it would begin another conversation after the end of this one
            desk.hears_back(far.customer, far.number, "Good bye")
        desk.end(far.customer, far.number)

    # ── one text ───────────────────────────────────────────────────────────────────────────────

    def _both_ways(self, check: Check, text: str) -> None:
        far, desk = self._far, self._desk
        conversation = desk.conversation_with(far.customer, far.number)
        self._goes_out(lambda: desk.reply(conversation, text), text, far.customer)
        if far.can_text:
            # Not the same: where the far end echoes, ours has come back already.
            far.text(f"Re: {text}")
            desk.hears(far.customer, far.number, f"Re: {text}")
        else:
            self.row.cannot[check] = far.says_little

    def _goes_out(self, send: Callable[[], dict[str, str]], text: str, customer: str) -> None:
        """Send, and see that it is taken, and whole: as the far end tells it, or by its receipt."""
        far, desk = self._far, self._desk
        message = send()
        if far.echoes:
            desk.becomes(message, *TAKEN)
            desk.hears_back(customer, far.number, text)
        elif far.shows_what_it_took:
            desk.becomes(message, *TAKEN)
            far.took(customer, text)
        else:
            desk.becomes(message, "delivered")
