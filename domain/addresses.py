"""Addresses: what a text is sent from and to.

An address is a phone number in E.164, a short code, or an alphanumeric sender. Phone numbers are gated on
being *possible*, not valid, so that numbers reserved for tests and fiction pass.
"""

import re
import unicodedata
from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberType, ValidationResult

from domain.segments import BASIC

# An address longer than this, punctuation included, is not worth reading.
_LONGEST_RAW = 64
# E.164 allows 15 digits; the shortest numbers in use, such as Niue's, have 7.
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_SHORT_CODE = re.compile(r"[0-9]{3,8}")
_WRITTEN_NUMBER = re.compile(r"\(?\+?[0-9 ().\-/]+")
# 3GPP TS 23.040, section 9.1.2.5, gives an alphanumeric sender 11 septets. The signs are those that Twilio
# takes, and three more that shops' names have.
_LONGEST_SENDER = 11
_SENDER_CHARACTERS = frozenset(c for c in BASIC if c.isalpha() or c.isdecimal()) | frozenset(" &'+-./_")
_LONGEST_COMMON_SHORT_CODE = 6


class AddressError(ValueError):
    """The text is no address. The message says how to write one, and leaves the text out: it is personal."""


def country(raw: str) -> str:
    """The ISO 3166-1 alpha-2 code that `raw` means, in capitals; `UK` is taken as `GB`.

    Raises ValueError for a country without a numbering plan.
    """
    code = raw.strip().upper()
    code = "GB" if code == "UK" else code
    if code not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError("unknown country: give its two-letter ISO 3166-1 code, such as US or GB")
    return code


# The same customers text again and again, and the tables are slow to ask.
@lru_cache(maxsize=20_000)
def normalise(raw: str, default_country: str) -> str:
    """The one way to write the address `raw`, read as somebody in `default_country` would.

    - A phone number becomes E.164 ("07911 123456" in GB: "+447911123456"). One without a "+" is read with the
      country, and with the "+" supplied where that is impossible, or where only that is a valid number.
    - 3 to 8 digits without a "+" are a short code, unless the country has mobile numbers that short.
    - A name of up to 11 letters, digits and a few signs, beginning with no sign, is an alphanumeric sender.

    Short codes and senders are kept, without spaces and invisible marks around them. Digits, spaces and
    dashes of other scripts count as plain ones. Normalising a second time changes nothing.

    Raises AddressError for anything else, ValueError for an unknown country.
    """
    region = country(default_country)
    text = _plain(raw) if len(raw) <= _LONGEST_RAW else ""
    if _is_sender(text):
        return text
    if _WRITTEN_NUMBER.fullmatch(text):
        digits = re.sub(r"[^0-9+]", "", text)
        address = _short(digits, region) if _SHORT_CODE.fullmatch(digits) else _long(digits, region)
        if address:
            return address
    raise AddressError(
        f"neither a phone number in {region}, nor a short code (3 to 8 digits), nor a sender name (up to 11"
        " letters and digits): write a phone number in international form, such as +15005550006"
    )


def is_phone(address: str) -> bool:
    """Whether a normalised address is a phone number in E.164."""
    return _E164.fullmatch(address) is not None


def is_short_code(address: str) -> bool:
    """Whether a normalised address is a short code."""
    return _SHORT_CODE.fullmatch(address) is not None


def display(address: str) -> str:
    """A normalised address as people read it: phone numbers in international format, others as they are."""
    number = _parse(address) if is_phone(address) else None
    return phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL) if number else address


def _plain(raw: str) -> str:
    """`raw` in ASCII digits, spaces, dashes and plus signs, without spaces and invisible marks around it."""
    kept = [_plain_character(character) for character in raw]
    while kept and _is_margin(kept[-1]):
        kept.pop()
    while kept and _is_margin(kept[0]):
        kept.pop(0)
    return "".join(kept)


def _plain_character(character: str) -> str:
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    if unicodedata.category(character) == "Zs":
        return " "
    if unicodedata.category(character) == "Pd" or character == "\N{MINUS SIGN}":
        return "-"
    return "+" if character == "\N{FULLWIDTH PLUS SIGN}" else character


def _is_margin(character: str) -> bool:
    # "Cf": direction marks and zero-width characters, which address books paste around numbers.
    return character.isspace() or unicodedata.category(character) == "Cf"


def _is_sender(text: str) -> bool:
    return (
        0 < len(text) <= _LONGEST_SENDER
        and _SENDER_CHARACTERS.issuperset(text)
        and any(character.isalpha() for character in text)
        and text[0].isalnum()  # what begins with "+" was meant as a number
    )


def _short(digits: str, region: str) -> str:
    """The mobile number, where one can be as short as that (Norway, Greenland); else the short code."""
    number = _parse(digits, region)
    address = _e164(number) if number and _is_short_mobile(number, len(digits)) else None
    return address or digits


def _is_short_mobile(number: PhoneNumber, length: int) -> bool:
    # In Finland and South Africa six digits are possible as a mobile number, and usual as a short code.
    if length <= _LONGEST_COMMON_SHORT_CODE:
        return phonenumbers.number_type(number) == PhoneNumberType.MOBILE
    reason = phonenumbers.is_possible_number_for_type_with_reason(number, PhoneNumberType.MOBILE)
    return reason == ValidationResult.IS_POSSIBLE


def _long(digits: str, region: str) -> str | None:
    spellings = [digits] if digits.startswith("+") else [digits, "+" + digits]
    numbers = [_parse(spelling, region) for spelling in spellings]
    readings = [number for number in numbers if number and _e164(number)]
    # Germany and others call nearly any length possible: a valid foreign number is the better reading there.
    best = next(filter(phonenumbers.is_valid_number, readings), readings[0] if readings else None)
    return _e164(best) if best else None


def _e164(number: PhoneNumber) -> str | None:
    """The number in E.164, if it can be dialled from abroad and, read again, is the same number."""
    if phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        return None
    address = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return address if is_phone(address) and _parse(address) == number else None


def _parse(text: str, region: str | None = None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
