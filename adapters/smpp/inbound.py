"""What an SMSC delivers, as facts: texts, parts of long texts, and receipts.

Nothing is refused for what it says: what cannot be read is kept as it can be, with its octets in `raw`.
"""

from random import Random
from uuid import UUID

from adapters.smpp import concatenation, receipts
from adapters.smpp.addressing import from_wire
from adapters.smpp.concatenation import Part
from adapters.smpp.pdu import Pdu, encode
from adapters.smpp.receipts import Receipt
from adapters.smpp.settings import Settings
from domain.alphabets import Alphabet, decode
from domain.facts import PartReceived, ReceiptReceived, TextWithoutId
from domain.ids import Identities
from domain.providers import Account

NOBODY = "unknown"
"""Stands for an address that the SMSC left out."""


def scope(account: Account) -> str:
    """Within what an SMSC's message ids are unique: the mapping."""
    return f"smpp:{account.code}"


class Inbound:
    """Reads what comes for one account, as facts keyed by `ids`."""

    def __init__(self, account: Account, settings: Settings, ids: Identities, random: Random) -> None:
        self._account = account
        self._settings = settings
        self._ids = ids
        self._random = random

    def fact(self, pdu: Pdu) -> TextWithoutId | PartReceived | ReceiptReceived:
        """What a deliver_sm or data_sm says."""
        receipt = receipts.read(pdu)
        if receipt:
            return self._receipt(receipt, pdu)
        part, octets = concatenation.read(pdu)
        alphabet = concatenation.alphabet_of(_integer(pdu, "data_coding"), self._settings.default_alphabet)
        if alphabet is None:
            return self._text(pdu, _described(octets, part))
        if part is None:
            return self._text(pdu, decode(octets, alphabet))
        return self._part(pdu, part, alphabet, octets)

    def _text(self, pdu: Pdu, text: str) -> TextWithoutId:
        ours, customer = self._parties(pdu)
        return TextWithoutId(
            key=self._ids.thread(ours, customer),
            mapping_id=self._account.mapping_id,
            scope=scope(self._account),
            our_address=ours,
            customer_address=customer,
            text=text,
            raw=_raw(pdu),
            delivery_id=f"{self._random.getrandbits(128):032x}",
            content=self._ids.content(scope(self._account), ours, customer, text),
            repeats_since=None,
            occurrence=0,
        )

    def _part(self, pdu: Pdu, part: Part, alphabet: Alphabet, octets: bytes) -> PartReceived:
        ours, customer = self._parties(pdu)
        return PartReceived(
            key=self._ids.thread(ours, customer),
            mapping_id=self._account.mapping_id,
            scope=scope(self._account),
            our_address=ours,
            customer_address=customer,
            raw=_raw(pdu),
            reference=part.reference,
            total=part.total,
            number=part.number,
            alphabet=alphabet,
            data=octets,
        )

    def _receipt(self, receipt: Receipt, pdu: Pdu) -> ReceiptReceived:
        message_id = receipts.canonical(
            receipt.message_id, of_receipt=True, format=self._settings.message_ids
        )
        return ReceiptReceived(
            key=self._thread(pdu) or self._ids.inbound(scope(self._account), message_id),
            mapping_id=self._account.mapping_id,
            scope=scope(self._account),
            provider_message_id=message_id,
            message_id=None,
            attempt=None,
            status=receipt.status,
            provider_status=receipt.provider_status,
            error_code=receipt.error_code,
            raw=_raw(pdu),
        )

    def _thread(self, pdu: Pdu) -> UUID | None:
        """The thread of the message that a receipt is of, where its addresses tell.

        Some SMSCs leave them as they were in the message, or name the customer twice.
        """
        ours, customer = self._address(pdu, "destination"), self._address(pdu, "source")
        if customer in self._account.addresses:
            ours, customer = customer, ours
        return self._ids.thread(ours, customer) if customer and ours in self._account.addresses else None

    def _parties(self, pdu: Pdu) -> tuple[str, str]:
        """Our address and the customer's; as they came, where they cannot be read."""
        ours, customer = self._address(pdu, "destination"), self._address(pdu, "source")
        return (
            ours or _string(pdu, "destination_addr") or NOBODY,
            customer or _string(pdu, "source_addr") or NOBODY,
        )

    def _address(self, pdu: Pdu, whose: str) -> str | None:
        ton = _integer(pdu, "dest_addr_ton" if whose == "destination" else "source_addr_ton")
        return from_wire(ton, _string(pdu, f"{whose}_addr"), self._account.default_country)


def _described(octets: bytes, part: Part | None) -> str:
    which = f", part {part.number} of {part.total}" if part else ""
    return f"[binary message{which}, {len(octets)} octets]"


def _raw(pdu: Pdu) -> str:
    return encode(pdu, strict=False).hex()


def _integer(pdu: Pdu, name: str) -> int:
    value = pdu.fields.get(name, 0)
    return value if isinstance(value, int) else 0


def _string(pdu: Pdu, name: str) -> str:
    value = pdu.fields.get(name, "")
    return value if isinstance(value, str) else ""
