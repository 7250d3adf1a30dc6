"""PDUs made up by chance, within what every codec under comparison can say; and damaged ones."""

from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple

from adapters.smpp.pdu import RESPONSE, Command, Pdu, Status

VISIBLE = "".join(map(chr, range(0x20, 0x7F)))
_Octets = Callable[[Random], bytes]


class Option(NamedTuple):
    """An optional parameter: its name, what it may be, and whether it is a number, a string or octets."""

    name: str
    make: _Octets
    kind: type[int] | type[str] | type[bytes]


def _number(size: int, highest: int | None = None) -> _Octets:
    most = 256**size - 1 if highest is None else highest
    return lambda random: random.randint(0, most).to_bytes(size, "big")


def _some_octets(least: int, most: int) -> _Octets:
    return lambda random: random.randbytes(random.randint(least, most))


def _text(random: Random, longest: int) -> str:
    return "".join(random.choices(VISIBLE, k=random.randint(0, longest)))


OPTIONS: dict[int, Option] = {
    0x0019: Option("payload_type", _number(1, 1), int),
    0x001E: Option("receipted_message_id", lambda random: _text(random, 64).encode() + b"\0", str),
    0x0201: Option("privacy_indicator", _number(1, 3), int),
    0x0204: Option("user_message_reference", _number(2), int),
    0x020A: Option("source_port", _number(2), int),
    0x020B: Option("destination_port", _number(2), int),
    0x020C: Option("sar_msg_ref_num", _number(2), int),
    0x020E: Option("sar_total_segments", _number(1), int),
    0x020F: Option("sar_segment_seqnum", _number(1), int),
    0x0210: Option("sc_interface_version", _number(1), int),
    0x0422: Option("ms_availability_status", _number(1, 2), int),
    0x0423: Option(
        "network_error_code", lambda random: bytes([random.randint(1, 3)]) + random.randbytes(2), bytes
    ),
    0x0424: Option("message_payload", _some_octets(0, 2000), bytes),
    0x0426: Option("more_messages_to_send", _number(1, 1), int),
    0x0427: Option("message_state", lambda random: bytes([random.randint(1, 8)]), int),
}
_OF_A_SUBMIT = (0x0019, 0x0201, 0x0204, 0x020A, 0x020B, 0x020C, 0x020E, 0x020F, 0x0424, 0x0426)
_OF_A_DELIVERY = (*_OF_A_SUBMIT, 0x001E, 0x0423, 0x0427)
_OPTIONS_OF = {
    Command.SUBMIT_SM: _OF_A_SUBMIT,
    Command.DELIVER_SM: _OF_A_DELIVERY,
    Command.DATA_SM: _OF_A_DELIVERY,
    Command.BIND_RECEIVER_RESP: (0x0210,),
    Command.BIND_TRANSMITTER_RESP: (0x0210,),
    Command.BIND_TRANSCEIVER_RESP: (0x0210,),
    Command.ALERT_NOTIFICATION: (0x0422,),
}

_BIND = ("system_id", "password", "system_type", "interface_version", "addr_ton", "addr_npi", "address_range")
_SOURCE = ("source_addr_ton", "source_addr_npi", "source_addr")
_DESTINATION = ("dest_addr_ton", "dest_addr_npi", "destination_addr")
_MESSAGE = (
    "service_type", *_SOURCE, *_DESTINATION, "esm_class", "protocol_id", "priority_flag",
    "schedule_delivery_time", "validity_period", "registered_delivery", "replace_if_present_flag",
    "data_coding", "sm_default_msg_id", "short_message",
)  # fmt: skip
# Written from the specification (section 4), so that these tables too are compared.
FIELDS: dict[Command, tuple[str, ...]] = {
    Command.BIND_RECEIVER: _BIND,
    Command.BIND_TRANSMITTER: _BIND,
    Command.BIND_TRANSCEIVER: _BIND,
    Command.BIND_RECEIVER_RESP: ("system_id",),
    Command.BIND_TRANSMITTER_RESP: ("system_id",),
    Command.BIND_TRANSCEIVER_RESP: ("system_id",),
    Command.OUTBIND: ("system_id", "password"),
    Command.SUBMIT_SM: _MESSAGE,
    Command.SUBMIT_SM_RESP: ("message_id",),
    Command.DELIVER_SM: _MESSAGE,
    Command.DELIVER_SM_RESP: ("message_id",),
    Command.DATA_SM: (
        "service_type", *_SOURCE, *_DESTINATION, "esm_class", "registered_delivery", "data_coding",
    ),
    Command.DATA_SM_RESP: ("message_id",),
    Command.QUERY_SM: ("message_id", *_SOURCE),
    Command.QUERY_SM_RESP: ("message_id", "final_date", "message_state", "error_code"),
    Command.ALERT_NOTIFICATION: (*_SOURCE, "esme_addr_ton", "esme_addr_npi", "esme_addr"),
    Command.UNBIND: (),
    Command.UNBIND_RESP: (),
    Command.ENQUIRE_LINK: (),
    Command.ENQUIRE_LINK_RESP: (),
    Command.GENERIC_NACK: (),
}  # fmt: skip
BODILESS_ERRORS = (
    Command.BIND_RECEIVER_RESP,
    Command.BIND_TRANSMITTER_RESP,
    Command.BIND_TRANSCEIVER_RESP,
    Command.SUBMIT_SM_RESP,
)

_LONGEST = {
    "system_id": 15, "password": 8, "system_type": 12, "address_range": 40, "service_type": 5,
    "source_addr": 20, "destination_addr": 20, "esme_addr": 20, "message_id": 64,
}  # fmt: skip
_CHOICES: dict[str, tuple[int, ...]] = {
    "ton": tuple(range(7)),
    "npi": (0, 1, 3, 4, 6, 8, 9, 10, 14, 18),
    "priority_flag": tuple(range(4)),
    "replace_if_present_flag": (0, 1),
    "message_state": tuple(range(1, 9)),
    "sm_default_msg_id": tuple(range(255)),
    "esm_class": tuple(
        mode | kind | features
        for mode in range(4)
        for kind in (0, 0x04, 0x08, 0x10, 0x18, 0x20)
        for features in (0, 0x40, 0x80, 0xC0)
    ),
    # smpp.pdu3 has no number 3 for the first two bits.
    "registered_delivery": tuple(each for each in range(32) if each & 3 != 3),
    # ... and forgets a bit that TS 23.038 leaves open.
    "data_coding": (*range(0xF0), *range(0xF0, 0xF8)),
}
_TIMES = ("", "000000120000000R", "991231235959000+", "240229120000000+")


def pdus(random: Random, count: int) -> Iterator[Pdu]:
    """So many PDUs, messages most of them."""
    usual = [Command.SUBMIT_SM, Command.DELIVER_SM, Command.DATA_SM]
    for _ in range(count):
        command = random.choice(usual if random.random() < 0.6 else list(FIELDS))
        yield _pdu(random, command)


def _pdu(random: Random, command: Command) -> Pdu:
    sequence = random.randint(1, 0x7FFFFFFF)
    status = random.choice(list(Status)) if command >= RESPONSE and random.random() < 0.3 else Status.OK
    if status and command in BODILESS_ERRORS:
        return Pdu(command, sequence, status)
    options = _OPTIONS_OF.get(command, ())
    chosen = random.sample(options, random.randint(0, min(4, len(options))))
    fields = {name: _field(random, command, name) for name in FIELDS[command]}
    if 0x0424 in chosen and "short_message" in fields:
        fields["short_message"] = b""
    return Pdu(command, sequence, status, fields, {tag: OPTIONS[tag].make(random) for tag in chosen})


def _field(random: Random, command: Command, name: str) -> str | int | bytes:
    if name == "short_message":
        return random.randbytes(random.randint(0, 254))
    if (command, name) in (
        (Command.DELIVER_SM, "schedule_delivery_time"),
        (Command.DELIVER_SM_RESP, "message_id"),
    ):
        return ""  # as the specification asks for (4.6)
    if name in ("schedule_delivery_time", "validity_period", "final_date"):
        return random.choice(_TIMES)
    if name in _LONGEST:
        return _text(random, _LONGEST[name])
    return random.choice(_CHOICES.get(name) or _CHOICES.get(name[-3:]) or range(256))


def damaged(random: Random, frame: bytes) -> bytes:
    """The octets with one or two things wrong; mostly with a length that is right again."""
    octets = bytearray(frame)
    for _ in range(random.randint(1, 2)):
        at = random.randrange(len(octets) + 1)
        to = min(len(octets), at + random.randint(1, 8))
        damage = _overwrite if random.random() < 0.7 else random.choice(_OTHER_DAMAGES)
        damage(random, octets, at, to)
    if random.random() < 0.9:
        octets[:4] = len(octets).to_bytes(4, "big")
    return bytes(octets)


def _overwrite(random: Random, octets: bytearray, at: int, to: int) -> None:
    octets[at:to] = random.choice([random.randbytes(to - at), bytes(to - at), b"\xff" * (to - at)])


def _insert(random: Random, octets: bytearray, at: int, to: int) -> None:
    octets[at:at] = random.randbytes(random.randint(1, 300))


def _remove(random: Random, octets: bytearray, at: int, to: int) -> None:
    del octets[at:to]


def _cut(random: Random, octets: bytearray, at: int, to: int) -> None:
    del octets[at:]


def _repeat(random: Random, octets: bytearray, at: int, to: int) -> None:
    octets[at:at] = octets[at:to] * random.randint(1, 50)


_OTHER_DAMAGES = (_insert, _remove, _cut, _repeat)
