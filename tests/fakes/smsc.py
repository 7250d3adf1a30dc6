"""An SMSC of our own: SMPP 3.4 on the loopback, served by a thread.

    with Smsc() as smsc:                                 # port, system_id and password say how to bind
        ...                                              # what is tested binds and submits
        smsc.wait_until(lambda: len(smsc.taken) == 2)    # the ledger: what it took, in order
        smsc.misbehave(Throttled(times=2))               # from smsc_faults: one class for each misbehaviour
        delivery = smsc.send_text("447700900123", "15005550006", "Hello")
        smsc.wait_until(lambda: delivery.acknowledged)

What it delivers goes to one of the connections bound to receive, in turn. What is not acknowledged (no
answer, or one with an error status) is delivered again when someone next binds to receive, or on `redeliver`.
All of it may be called from any thread. On leaving, it raises what went wrong inside itself, and what came
that was no SMPP.
"""

import asyncio
import ssl
import threading
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Self, TypeVar

from adapters.smpp.pdu import Pdu
from tests.fakes.smsc_link import Fault, Link
from tests.fakes.smsc_messages import Method, ReceiptForm, long_text, receipt, text
from tests.fakes.smsc_state import Delivery, State, Taken

__all__ = ["Delivery", "Method", "ReceiptForm", "Smsc", "Taken"]

_Result = TypeVar("_Result")

HOST = "127.0.0.1"
PATIENCE = 10  # seconds


class Smsc(State):
    """The server. Use it as a context manager.

    `receipts`: the form of the receipts that it sends by itself, after its answer, for every message that
    asks for them (registered_delivery 1); None sends none. `message_id` makes the id of the nth message
    taken, from 1; `receipt_id` is how its receipts write an id (some answer in hexadecimal, report in
    decimal).
    """

    def __init__(
        self,
        *,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        receipts: ReceiptForm | None = None,
        message_id: Callable[[int], str] = str,
        receipt_id: Callable[[str], str] = str,
    ) -> None:
        super().__init__(receipts, message_id, receipt_id)
        self._tls = tls
        self.host = HOST
        self.port = port  # 0 until it is entered: then one that was free
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._await(self._listen())
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
        if self.errors and exc == (None, None, None):
            raise ExceptionGroup("inside the SMSC", self.errors)

    def close(self) -> None:
        """End everything, without a word to anyone."""
        if self._loop.is_closed():
            return
        self.refuse()
        self._with_links(Link.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)

    # ── what it does wrong ─────────────────────────────────────────────────────────────────────

    def misbehave(self, *faults: Fault) -> None:
        """From now on, besides what is set already. Of several that are due, the first strikes."""
        self._call(lambda: self.faults.extend(faults))

    def behave(self) -> None:
        """No more misbehaviour."""
        self._call(self.faults.clear)

    def let_go(self) -> None:
        """Let every misbehaviour release what it holds back: late answers, octets not read."""
        self._call(self._release)

    def refuse(self) -> None:
        """Take no new connection (the port is closed) until `accept`. Those that are there stay."""
        self._call(self._stop_listening)

    def accept(self) -> None:
        """Take new connections again, on the same port."""
        self._await(self._listen())

    def drop(self) -> None:
        """Reset every connection; new ones are welcome."""
        self._with_links(Link.reset)

    # ── what it says ───────────────────────────────────────────────────────────────────────────

    def send_text(
        self, source: str, destination: str, content: str | bytes, data_coding: int = 0
    ) -> Delivery:
        """Deliver a customer's text. Octets go as they are; a str is encoded as `smsc_messages.text` says."""
        return self.deliver(text(source, destination, content, data_coding))[0]

    def send_long_text(
        self,
        source: str,
        destination: str,
        content: str,
        *,
        method: Method = Method.UDH_8,
        reference: int = 1,
        order: Sequence[int] | None = None,
    ) -> list[Delivery]:
        """Deliver a text in parts, in UCS-2. `order`: the parts to send, by number from 1, in which order."""
        parts = long_text(source, destination, content, method, reference)
        return self.deliver(*(parts if order is None else [parts[number - 1] for number in order]))

    def send_receipt(
        self, taken: Taken, stat: str = "DELIVRD", *, form: ReceiptForm = ReceiptForm.BOTH, error: str = "000"
    ) -> Delivery:
        """Deliver a receipt of a message taken. `stat` is as in its text: DELIVRD, UNDELIV…."""
        return self.deliver(receipt(taken.pdu, self.receipt_id(taken.message_id), stat, form, error))[0]

    def deliver(self, *pdus: Pdu) -> list[Delivery]:
        """Deliver any deliver_sm or data_sm, together. Those that nobody is bound to receive wait."""
        return self._call(lambda: self.post(pdus))

    def redeliver(self) -> None:
        """Deliver again what was refused, and what waits."""
        self._call(self.post_again)

    def send(self, *pdus: Pdu) -> None:
        """Write PDUs, as they are, to every connection: unsolicited answers, enquiries, outbind."""
        for pdu in pdus:
            self._with_links(partial(Link.send, pdu=pdu))

    def write(self, octets: bytes) -> None:
        """Write octets that need not be SMPP to every connection."""
        self._with_links(partial(Link.write, octets=octets))

    def unbind(self) -> None:
        """Ask every connection to leave."""
        self._with_links(Link.unbind)

    # ── what one may wait for ──────────────────────────────────────────────────────────────────

    def wait_until(self, condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Return as soon as it holds. Raises AssertionError after so many seconds."""
        with self.changes:
            if not self.changes.wait_for(condition, seconds):
                raise AssertionError(f"it never came to be; the SMSC got {self.received}")

    # ── its thread ─────────────────────────────────────────────────────────────────────────────

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        left = asyncio.all_tasks(self._loop)
        for each in left:
            each.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def _call(self, function: Callable[[], _Result]) -> _Result:
        """Call it in the server's own thread."""
        return self._await(_called(function))

    def _await(self, coroutine: Coroutine[None, None, _Result]) -> _Result:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._connected, HOST, self.port, ssl=self._tls)
            self.port = self._server.sockets[0].getsockname()[1]

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        await Link(self, self.connections, reader, writer).run()

    def _with_links(self, act: Callable[[Link], None]) -> None:
        def act_on_all() -> None:
            for each in list(self.links):
                act(each)

        self._call(act_on_all)

    def _release(self) -> None:
        for each in self.faults:
            each.release()


async def _called(function: Callable[[], _Result]) -> _Result:
    return function()
