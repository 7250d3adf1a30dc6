"""How addresses are read and shown."""

import contextlib

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.addresses import AddressError, country, display, is_phone, is_short_code, normalise

MOBILE = phonenumbers.PhoneNumberType.MOBILE
REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
REGIONS_WITH_MOBILES = [region for region in REGIONS if phonenumbers.example_number_for_type(region, MOBILE)]


@pytest.mark.parametrize(
    ("raw", "default_country", "address"),
    [
        ("+15005550006", "US", "+15005550006"),  # possible, though not valid
        ("(500) 555-0006", "US", "+15005550006"),
        ("1.500.555.0006", "US", "+15005550006"),
        ("07911 123456", "GB", "+447911123456"),
        ("07911 123456", "UK", "+447911123456"),
        ("+44 (0)7911 123456", "US", "+447911123456"),
        ("(+44) 7911/123456", "US", "+447911123456"),
        ("447911123456", "GB", "+447911123456"),
        ("447911123456", "US", "+447911123456"),  # impossible in the US: read with a "+"
        ("4915123456789", "AT", "+4915123456789"),  # possible in Austria, valid only with a "+"
        ("011 15-2345-6789", "AR", "+5491123456789"),
        ("06 1234 5678", "IT", "+390612345678"),  # Italy keeps its zero
        ("91234567", "SG", "+6591234567"),  # eight digits, a mobile number there
        ("91234567", "NO", "+4791234567"),
        ("221234", "GL", "+299221234"),  # six
        ("51234", "FK", "+50051234"),  # five
    ],
)
def test_a_phone_number_becomes_e164(raw: str, default_country: str, address: str) -> None:
    assert normalise(raw, default_country) == address
    assert is_phone(address)
    assert not is_short_code(address)


@pytest.mark.parametrize(
    ("raw", "default_country"),
    [
        ("40404", "US"),
        ("262966", "US"),
        ("87121", "GB"),
        ("82000", "DE"),
        ("62000", "AT"),
        ("31022", "ZA"),
        ("161234", "FI"),
        ("02000", "NO"),
        ("911", "US"),
        ("5551234", "US"),
        ("12345678", "US"),
    ],
)
def test_a_short_code_is_kept(raw: str, default_country: str) -> None:
    assert normalise(f" {raw}\n", default_country) == raw
    assert is_short_code(raw)
    assert not is_phone(raw)


@pytest.mark.parametrize(
    "raw", ["Parley", "PARLEY UK", "AT&T", "booking.com", "O2", "7Eleven", "Müller", "a" * 11]
)
def test_an_alphanumeric_sender_is_kept(raw: str) -> None:
    assert normalise(f"\t{raw} ", "US") == raw
    assert not is_phone(raw)
    assert not is_short_code(raw)


@pytest.mark.parametrize(
    ("raw", "address"),
    [
        ("\u202a+44 7911 123456\u202c", "+447911123456"),  # direction marks, as address books paste them
        ("\ufeff07911\u00a0123\u202f456\u200b", "+447911123456"),
        ("07911–123‑456", "+447911123456"),
        ("＋４４７９１１１２３４５６", "+447911123456"),
        ("٠٧٩١١١٢٣٤٥٦", "+447911123456"),
        ("８７１２１", "87121"),
        ("\u200eParley\u200f", "Parley"),
        ("O２", "O2"),
    ],
)
def test_other_scripts_and_invisible_marks_are_read_as_plain(raw: str, address: str) -> None:
    assert normalise(raw, "GB") == address


@pytest.mark.parametrize(
    "raw",
    [
        "",
        " ",
        "\u200e",
        "+",
        "12",
        "+12345",
        "+999123456789",
        "1" * 16,
        "+15551234",
        "hello world!",
        "a" * 12,
        "44+7911123456",
        "++447911123456",
        "+44 7911 1234x6",
        "tel:+447911123456",
        "+447911123456;ext=1",
        "07911\n123456",
        "07911\x00123456",
        "Par\x00ley",
        "\x00",
        "Par\u200bley",
        "Pаrley",
        "😀",
        "Ｐarley",
        "-Parley",
        "+Parley",
        "+49" + "1" * 15,  # possible in Germany, longer than E.164 allows
        "000539370348",
        "+9200539370348",  # read again, Pakistan's would lose a zero each time
        "+447911123456" + " -" * 100,
        "<b>",
        "²²²²²",
        "9" * 10000,
        "a" * 10000,
        " " * 10000,
        "�",
    ],
)
def test_what_is_no_address_is_refused_with_a_remedy_and_without_repeating_it(raw: str) -> None:
    with pytest.raises(AddressError, match=r"in international form, such as \+15005550006") as caught:
        normalise(raw, "GB")
    assert len(raw) < 4 or raw not in str(caught.value)


@pytest.mark.parametrize(
    ("raw", "code"), [("US", "US"), ("gb", "GB"), (" uk ", "GB"), ("UK", "GB"), ("de", "DE")]
)
def test_country(raw: str, code: str) -> None:
    assert country(raw) == code


@pytest.mark.parametrize("raw", ["", "ZZ", "USA", "England", "001", "U\x00S", "ＵＳ", "x" * 10_000])
def test_an_unknown_country_is_refused(raw: str) -> None:
    with pytest.raises(ValueError, match="ISO 3166-1"):
        country(raw)
    with pytest.raises(ValueError, match="ISO 3166-1"):
        normalise("+15005550006", raw)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("+15005550006", "+1 500-555-0006"),
        ("+447911123456", "+44 7911 123456"),
        ("40404", "40404"),
        ("Parley", "Parley"),
        ("+999123456789", "+999123456789"),
    ],
)
def test_display(address: str, shown: str) -> None:
    assert display(address) == shown


@pytest.mark.parametrize(
    "address", ["+1", "15005550006", "+05005550006", "+1500555000６", "+15005550006\n", ""]
)
def test_is_phone_takes_e164_only(address: str) -> None:
    assert not is_phone(address)


@pytest.mark.parametrize("region", REGIONS_WITH_MOBILES)
def test_the_mobile_numbers_of_every_country_are_read_however_written(region: str) -> None:
    number = phonenumbers.example_number_for_type(region, MOBILE)
    assert number is not None
    address = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    international = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    national = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
    assert {normalise(written, region) for written in (address, international, national)} == {address}


written = st.text(max_size=20) | st.text(st.sampled_from("+0123456789 ()-"), max_size=20)
prefixed = st.builds(
    "".join, st.tuples(st.sampled_from(["", "+", "0", "00"]), st.from_regex(r"[0-9]{4,13}", fullmatch=True))
)


@given(written | prefixed, st.sampled_from(REGIONS))
def test_normalising_twice_changes_nothing(raw: str, region: str) -> None:
    with contextlib.suppress(AddressError):
        address = normalise(raw, region)
        assert normalise(address, region) == address
        assert is_phone(address) or is_short_code(address) or any(letter.isalpha() for letter in address)
        assert display(address)


@given(prefixed, st.sampled_from(REGIONS), st.sampled_from(REGIONS))
def test_an_e164_number_is_the_same_from_every_country(raw: str, region: str, other: str) -> None:
    with contextlib.suppress(AddressError):
        address = normalise(raw, region)
        if is_phone(address):
            assert normalise(address, other) == address
