"""Addresses on the wire: type of number, numbering plan and digits (SMPP 3.4, 5.2.5 to 5.2.9)."""

from dataclasses import dataclass

from adapters.smpp.settings import BY_ADDRESS, Numbering
from domain.addresses import AddressError, is_phone, is_short_code, normalise

UNKNOWN, INTERNATIONAL, ALPHANUMERIC = 0, 1, 5  # types of number
NO_PLAN, E164 = 0, 1  # numbering plans


@dataclass(frozen=True)
class WireAddress:
    """An address as a PDU holds it."""

    ton: int
    npi: int
    address: str


def to_wire(address: str, numbering: Numbering) -> WireAddress:
    """How one of Parley's addresses goes out: a phone number without "+"."""
    ton, npi = _natural(address)
    return WireAddress(
        ton if numbering.ton == BY_ADDRESS else numbering.ton,
        npi if numbering.npi == BY_ADDRESS else numbering.npi,
        address.removeprefix("+"),
    )


def from_wire(ton: int, address: str, default_country: str) -> str | None:
    """Parley's way of writing an address that came in; None for one that it cannot read.

    SMSCs label carelessly: what does not fit its type is read as if it had none.
    """
    spellings = [address] if address.startswith("+") or ton != INTERNATIONAL else [f"+{address}", address]
    for spelling in spellings:
        try:
            return normalise(spelling, default_country)
        except AddressError:
            continue
    return None


def _natural(address: str) -> tuple[int, int]:
    if is_phone(address):
        return INTERNATIONAL, E164
    return (UNKNOWN, NO_PLAN) if is_short_code(address) else (ALPHANUMERIC, NO_PLAN)
