"""Damaged PDUs, read as everything that they could be."""

import sys
import time
from dataclasses import dataclass
from random import Random

from adapters.smpp import concatenation, receipts
from adapters.smpp.pdu import HEADER, BadPdu, decode, encode, frame_length
from domain import alphabets
from domain.alphabets import Alphabet
from tests.adapters.smpp.generated import damaged, pdus


@dataclass(frozen=True)
class Outcome:
    """How many were refused and read, the longest time for one (seconds), blocks of memory left in use."""

    refused: int
    read: int
    slowest: float
    growth: int


def survive(random: Random, count: int) -> Outcome:
    """Read so many; anything but `BadPdu` comes out of here."""
    _read_all(random, 100)  # what is imported or remembered once is no growth
    before = sys.getallocatedblocks()
    taken, slowest = _read_all(random, count)
    return Outcome(count - taken, taken, slowest, sys.getallocatedblocks() - before)


def _read_all(random: Random, count: int) -> tuple[int, float]:
    taken, slowest = 0, 0.0
    for each in pdus(random, count):
        frame = damaged(random, encode(each))
        began = time.process_time()
        taken += _read(frame)
        slowest = max(slowest, time.process_time() - began)
    return taken, slowest


def _read(frame: bytes) -> bool:
    try:
        if len(frame) >= HEADER:
            frame_length(frame[:4])
        pdu = decode(frame)
    except BadPdu:
        return False
    assert decode(encode(pdu, strict=False)).tlvs == pdu.tlvs
    _, octets = concatenation.read(pdu)
    receipt = receipts.read(pdu)
    if receipt:
        for form in receipts.IdFormat:
            receipts.canonical(receipt.message_id, of_receipt=True, format=form)
    data_coding = pdu.fields.get("data_coding", 0)
    assert isinstance(data_coding, int)
    alphabet = concatenation.alphabet_of(data_coding, Alphabet.GSM)
    if alphabet:
        assert isinstance(alphabets.decode(octets, alphabet), str)
    return True
