"""Receipts are read however an SMSC writes them."""

from collections.abc import Mapping

import pytest

from adapters.smpp.pdu import Command, Pdu, Tlv
from adapters.smpp.receipts import IdFormat, Receipt, canonical, read
from domain.facts import ReceiptStatus

_TEXT = (
    b"id:0123456789 sub:001 dlvrd:001 submit date:2401311200 done date:2401311201 stat:DELIVRD err:000"
    b" text:Hi"
)


def _receipt(
    text: bytes = b"", tlvs: Mapping[int, bytes] | None = None, *, esm_class: int = 0x04, command: int = 5
) -> Receipt | None:
    return read(
        Pdu(command, 1, fields={"esm_class": esm_class, "short_message": text}, tlvs={**(tlvs or {})})
    )


def test_the_specifications_form() -> None:
    assert _receipt(_TEXT) == Receipt("0123456789", ReceiptStatus.DELIVERED, "DELIVRD", None)


@pytest.mark.parametrize("esm_class", [0x04, 0x07, 0x44, 0x84, 0x20])
def test_receipts_and_intermediate_notifications_are_told_by_esm_class(esm_class: int) -> None:
    header = b"\x06\x05\x04\x15\x8a\x00\x00" if esm_class & 0x40 else b""
    assert _receipt(header + _TEXT, esm_class=esm_class) is not None


@pytest.mark.parametrize("esm_class", [0x00, 0x03, 0x08, 0x10, 0x18, 0x40])
def test_a_text_that_looks_like_one_is_none(esm_class: int) -> None:
    assert _receipt(_TEXT, esm_class=esm_class) is None


def test_they_come_by_data_sm_as_well_and_by_nothing_else() -> None:
    payload: dict[int, bytes] = {Tlv.MESSAGE_PAYLOAD: _TEXT}
    assert read(Pdu(Command.DATA_SM, 1, fields={"esm_class": 4}, tlvs=payload)) == _receipt(_TEXT)
    assert _receipt(_TEXT, command=Command.SUBMIT_SM) is None
    assert read(Pdu(Command.ENQUIRE_LINK, 1)) is None


@pytest.mark.parametrize(
    ("text", "message_id", "status", "error_code"),
    [
        (b"ID:AbC SUB:001 STAT:undeliv ERR:034 TEXT:", "AbC", "UNDELIV", "034"),
        (b"id: 77 stat: EXPIRED err: 1", "77", "EXPIRED", "1"),
        (b"id:a-b:c_d.e stat:REJECTD", "a-b:c_d.e", "REJECTD", None),
        (b"id: sub:001 stat:DELIVRD err:", "", "DELIVRD", None),
        (b"sub:001 stat:DELIVRD id:9", "9", "DELIVRD", None),
        (b"id:submit-1 stat:DELIVRD", "submit-1", "DELIVRD", None),
        (b"id:5 stat:DELIVRD err:000 text:id:6 stat:EXPIRED", "5", "DELIVRD", None),
        (b"id:5 stat:DELIVRD text:\x00\xff\x1b\n\x80 id:6", "5", "DELIVRD", None),
        (b"paid:5 mid:6", "", "UNKNOWN", None),
        (b"\xff\xfe\x00", "", "UNKNOWN", None),
        (b"", "", "UNKNOWN", None),
        ("id:5 stat:DELIVRD".encode("utf-16-be"), "5", "DELIVRD", None),
        (b"id:5\r\nstat:DELIVRD\r\n", "5", "DELIVRD", None),
    ],
)
def test_texts_of_all_kinds(text: bytes, message_id: str, status: str, error_code: str | None) -> None:
    receipt = _receipt(text)
    assert receipt is not None
    assert (receipt.message_id, receipt.provider_status, receipt.error_code) == (
        message_id,
        status,
        error_code,
    )


@pytest.mark.parametrize(
    ("state", "stat", "status"),
    [
        (0, "SCHEDULED", ReceiptStatus.QUEUED),
        (1, "ENROUTE", ReceiptStatus.SENT),
        (2, "DELIVRD", ReceiptStatus.DELIVERED),
        (3, "EXPIRED", ReceiptStatus.UNDELIVERED),
        (4, "DELETED", ReceiptStatus.UNDELIVERED),
        (5, "UNDELIV", ReceiptStatus.UNDELIVERED),
        (6, "ACCEPTD", ReceiptStatus.SENT),
        (7, "UNKNOWN", ReceiptStatus.SENT),
        (8, "REJECTD", ReceiptStatus.FAILED),
        (9, "SKIPPED", ReceiptStatus.UNDELIVERED),
    ],
)
def test_states_by_number_and_by_word_mean_the_same(state: int, stat: str, status: ReceiptStatus) -> None:
    expected = Receipt("1", status, stat, None)
    assert _receipt(f"id:1 stat:{stat}".encode()) == expected
    assert _receipt(tlvs={Tlv.RECEIPTED_MESSAGE_ID: b"1\0", Tlv.MESSAGE_STATE: bytes([state])}) == expected


@pytest.mark.parametrize(
    ("stat", "status"),
    [
        ("DELIVERED", ReceiptStatus.DELIVERED),
        ("UNDELIVERABLE", ReceiptStatus.UNDELIVERED),
        ("ACCEPTED", ReceiptStatus.SENT),
        ("REJECTED", ReceiptStatus.FAILED),
        ("FAILED", ReceiptStatus.FAILED),
        ("BUFFERED", ReceiptStatus.SENT),
    ],
)
def test_other_spellings(stat: str, status: ReceiptStatus) -> None:
    assert _receipt(f"id:1 stat:{stat}".encode()) == Receipt("1", status, stat, None)


def test_optional_parameters_go_first() -> None:
    tlvs: dict[int, bytes] = {
        Tlv.RECEIPTED_MESSAGE_ID: b"abc\0",
        Tlv.MESSAGE_STATE: b"\5",
        Tlv.NETWORK_ERROR_CODE: b"\3\1\2",
    }
    assert _receipt(_TEXT, tlvs) == Receipt("abc", ReceiptStatus.UNDELIVERED, "UNDELIV", "258")


@pytest.mark.parametrize(
    "tlvs",
    [
        {Tlv.MESSAGE_STATE: b"\xc8"},
        {Tlv.MESSAGE_STATE: b""},
        {Tlv.MESSAGE_STATE: b"\0\2"},
        {Tlv.RECEIPTED_MESSAGE_ID: b"\0"},
        {Tlv.NETWORK_ERROR_CODE: b"\3\0\0"},
        {Tlv.NETWORK_ERROR_CODE: b""},
    ],
)
def test_the_text_fills_what_they_leave_open(tlvs: dict[int, bytes]) -> None:
    assert _receipt(_TEXT, tlvs) == _receipt(_TEXT)


def test_an_id_that_does_not_end_with_nul_is_whole() -> None:
    receipt = _receipt(tlvs={Tlv.RECEIPTED_MESSAGE_ID: b"abc"})
    assert receipt is not None
    assert receipt.message_id == "abc"


@pytest.mark.parametrize(
    ("format_", "response", "receipt"),
    [
        (IdFormat.SAME, "00AbC", "abc"),
        (IdFormat.SAME, "0000", "0"),
        (IdFormat.SAME, " 12 ", "12"),
        (IdFormat.HEX_THEN_DECIMAL, "39436567", "960718183"),  # as jsmpp's simulator does
        (IdFormat.HEX_THEN_DECIMAL, "0000FF", "0000000255"),
        (IdFormat.HEX_THEN_DECIMAL, "0xFF", "255"),
        (IdFormat.HEX_THEN_DECIMAL, "5a3f-77", "5A3F-77"),  # no number after all
        (IdFormat.HEX_THEN_DECIMAL, "0", "000"),
        (IdFormat.DECIMAL_THEN_HEX, "0255", "00fF"),
        (IdFormat.DECIMAL_THEN_HEX, "", ""),
    ],
)
def test_both_sides_of_an_id_come_to_the_same(format_: IdFormat, response: str, receipt: str) -> None:
    assert canonical(response, of_receipt=False, format=format_) == canonical(
        receipt, of_receipt=True, format=format_
    )


def test_different_ids_stay_different() -> None:
    ids = ["1", "10", "a", "ff", "255", "id-1", ""]
    for format_ in IdFormat:
        for of_receipt in (True, False):
            made = {canonical(each, of_receipt=of_receipt, format=format_) for each in ids}
            assert len(made) == len(ids)
