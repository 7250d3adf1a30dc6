"""SMPP 3.4 PDUs: a `Pdu` to octets, and back (section 5 of the specification).

Which fields a command has, in what order and how long, is read from smpplib's tables. smpplib's own reading
and writing are passed by, because they

- take a PDU cut short for a whole one, or fail with struct.error, and never look at its length;
- go back to the start of a PDU when a string in it does not end;
- fail with KeyError on an optional parameter that their table for the command lacks, and on unknown ones;
- lose the last character of a receipted_message_id that does not end with NUL;
- shorten strings that are too long, and the password with them, without a word;
- always bind as version 3.4, whatever the caller says, and know no outbind;
- take numbers from a counter without a lock, for each PDU that they read.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import takewhile

from smpplib import smpp

HEADER = 16
"""Octets: command_length, command_id, command_status, sequence_number."""

LARGEST = 64 * 1024
"""Octets that a PDU may have: a message_payload alone may hold nearly as many, nothing that is sent does."""

RESPONSE = 0x80000000
"""What the command of a response has more than its request's."""

_HEADER = struct.Struct(">LLLL")
_TLV = struct.Struct(">HH")


class Command(IntEnum):
    """The commands that are read and written (5.1.2.1). Any other is answered with a generic_nack."""

    BIND_RECEIVER = 0x1
    BIND_TRANSMITTER = 0x2
    QUERY_SM = 0x3
    SUBMIT_SM = 0x4
    DELIVER_SM = 0x5
    UNBIND = 0x6
    BIND_TRANSCEIVER = 0x9
    OUTBIND = 0xB
    ENQUIRE_LINK = 0x15
    ALERT_NOTIFICATION = 0x102
    DATA_SM = 0x103

    GENERIC_NACK = RESPONSE
    BIND_RECEIVER_RESP = RESPONSE | 0x1
    BIND_TRANSMITTER_RESP = RESPONSE | 0x2
    QUERY_SM_RESP = RESPONSE | 0x3
    SUBMIT_SM_RESP = RESPONSE | 0x4
    DELIVER_SM_RESP = RESPONSE | 0x5
    UNBIND_RESP = RESPONSE | 0x6
    BIND_TRANSCEIVER_RESP = RESPONSE | 0x9
    ENQUIRE_LINK_RESP = RESPONSE | 0x15
    DATA_SM_RESP = RESPONSE | 0x103


class Status(IntEnum):
    """What a response says of its request (5.1.3), as far as Parley says or understands it."""

    OK = 0x0
    INVALID_LENGTH = 0x2
    INVALID_COMMAND = 0x3
    INVALID_BIND = 0x4  # not allowed in the state that the bind is in
    ALREADY_BOUND = 0x5
    SYSTEM_ERROR = 0x8
    INVALID_SOURCE = 0xA
    INVALID_DESTINATION = 0xB
    BIND_FAILED = 0xD
    INVALID_PASSWORD = 0xE
    INVALID_SYSTEM_ID = 0xF
    QUEUE_FULL = 0x14
    SUBMIT_FAILED = 0x45
    THROTTLED = 0x58
    TEMPORARY_APP_ERROR = 0x64
    PERMANENT_APP_ERROR = 0x65
    REJECTED_APP = 0x66
    INVALID_OPTIONAL_PARAMETERS = 0xC0


class Tlv(IntEnum):
    """Tags of optional parameters (5.3.2)."""

    RECEIPTED_MESSAGE_ID = 0x1E
    USER_MESSAGE_REFERENCE = 0x204
    SAR_MSG_REF_NUM = 0x20C
    SAR_TOTAL_SEGMENTS = 0x20E
    SAR_SEGMENT_SEQNUM = 0x20F
    SC_INTERFACE_VERSION = 0x210
    NETWORK_ERROR_CODE = 0x423
    MESSAGE_PAYLOAD = 0x424
    MESSAGE_STATE = 0x427


@dataclass(frozen=True, slots=True)
class Pdu:
    """One PDU.

    `fields` are the mandatory ones, by the specification's names: numbers as int, C-octet strings as str
    (each character an octet, as in Latin-1), short_message as bytes; sm_length is left out, being its length.
    `tlvs` are the optional parameters as they are on the wire, by tag; of several with one tag the last.
    """

    command: int
    sequence: int
    status: int = 0
    # Not in its repr: passwords, numbers and texts stay out of logs.
    fields: Mapping[str, str | int | bytes] = field(default_factory=dict, repr=False)
    tlvs: Mapping[int, bytes] = field(default_factory=dict, repr=False)

    @property
    def is_response(self) -> bool:
        """Whether it answers a request of ours; a generic_nack does."""
        return self.command >= RESPONSE

    def reply(self, status: int = 0, **fields: str | int | bytes) -> "Pdu":
        """The response to this request."""
        return Pdu(self.command | RESPONSE, self.sequence, status, fields)


class BadPdu(Exception):
    """Octets that are no PDU we can read.

    `command`, `sequence` and `status` are what to answer with, unless `command` is itself a response's. After
    a `fatal` one nobody knows where the next PDU begins: only closing the connection helps.
    """

    def __init__(
        self, message: str, status: int, *, command: int = 0, sequence: int = 0, fatal: bool = False
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.command = command
        self.sequence = sequence
        self.fatal = fatal


@dataclass(frozen=True, slots=True)
class _Number:
    """One octet: no mandatory field of these commands has more."""

    name: str
    default: int

    def write(self, value: object, *, strict: bool) -> bytes:
        if not isinstance(value, int) or not 0 <= value <= 0xFF:
            raise ValueError(f"{self.name} must be a whole number from 0 to 255")
        return bytes((value,))

    def read(self, frame: bytes, at: int) -> tuple[int, int]:
        if at >= len(frame):
            raise ValueError(f"{self.name} is missing")
        return frame[at], at + 1


@dataclass(frozen=True, slots=True)
class _String:
    """A C-octet string: it ends with NUL, which `longest` does not count."""

    name: str
    longest: int
    default: str = ""

    def write(self, value: object, *, strict: bool) -> bytes:
        try:
            octets = value.encode("latin-1") if isinstance(value, str) else None
        except UnicodeEncodeError:
            octets = None
        if octets is None or 0 in octets:
            raise ValueError(f"{self.name} must be text, in Latin-1 characters other than NUL")
        if strict and len(octets) > self.longest:
            raise ValueError(f"{self.name} must have at most {self.longest} characters, not {len(octets)}")
        return octets + b"\0"

    def read(self, frame: bytes, at: int) -> tuple[str, int]:
        end = frame.find(0, at)
        if end < 0:
            raise ValueError(f"{self.name} does not end")
        return frame[at:end].decode("latin-1"), end + 1


@dataclass(frozen=True, slots=True)
class _Octets:
    """sm_length, and as many octets."""

    name: str
    longest: int
    default: bytes = b""

    def write(self, value: object, *, strict: bool) -> bytes:
        if not isinstance(value, bytes):
            raise ValueError(f"{self.name} must be bytes")  # noqa: TRY004 - one kind of error for all of them
        if len(value) > (self.longest if strict else 0xFF):
            raise ValueError(f"{self.name} must have at most {self.longest} octets, not {len(value)}")
        return bytes((len(value),)) + value

    def read(self, frame: bytes, at: int) -> tuple[bytes, int]:
        if at >= len(frame):
            raise ValueError("sm_length is missing")
        end = at + 1 + frame[at]
        if end > len(frame):
            raise ValueError(f"{self.name} is shorter than sm_length")
        return frame[at + 1 : end], end


_Field = _Number | _String | _Octets


def _layout(command: Command) -> tuple[_Field, ...]:
    """The mandatory fields of a command, from smpplib's table of it."""
    # With a number given it does not ask its counter for one, nor its client.
    table = smpp.make_pdu(command.name.lower(), sequence=1)
    mandatory = takewhile(lambda name: not table.field_is_optional(name), table.params_order)
    return tuple(_field(name, table.params[name]) for name in mandatory if name != "sm_length")


def _field(name: str, parameter: smpp.command.Param) -> _Field:
    if parameter.type is int:
        # As smpplib does: an SMSC gives no optional parameters to whoever names no version (5.2.4).
        return _Number(name, default=0x34 if name == "interface_version" else 0)
    if parameter.type is str:
        return _String(name, longest=parameter.max - 1)
    return _Octets(name, longest=parameter.max)


_LAYOUTS: dict[int, tuple[_Field, ...]] = {
    command: _layout(command) for command in Command if command is not Command.OUTBIND
}
_LAYOUTS[Command.OUTBIND] = _LAYOUTS[Command.BIND_RECEIVER][:2]  # system_id, password (4.1.7)

# With an error status they have no body (4.1.2, 4.1.4, 4.1.6, 4.4.2). Others have: some peers insist on it.
_BODILESS_ERRORS = (
    Command.BIND_RECEIVER_RESP,
    Command.BIND_TRANSMITTER_RESP,
    Command.BIND_TRANSCEIVER_RESP,
    Command.SUBMIT_SM_RESP,
)


def frame_length(first_four: bytes) -> int:
    """The octets of a whole PDU, these four included. Raises a fatal `BadPdu` when it cannot be one."""
    length = int.from_bytes(first_four, "big")
    if not HEADER <= length <= LARGEST:
        raise BadPdu(
            f"command_length is {length}, not {HEADER} to {LARGEST}", Status.INVALID_LENGTH, fatal=True
        )
    return length


def encode(pdu: Pdu, *, strict: bool = True) -> bytes:
    """The octets of a PDU. Fields left out are 0 or empty, interface_version 0x34.

    With `strict` False strings may be longer than the specification allows: so every PDU that was read can be
    written again.

    Raises ValueError naming the field that does not fit; nothing is ever shortened.
    """
    layout = _LAYOUTS.get(pdu.command)
    if layout is None:
        raise ValueError(f"command 0x{pdu.command:x} is not one of those in Command")
    if unknown := pdu.fields.keys() - {each.name for each in layout}:
        raise ValueError(f"{Command(pdu.command).name.lower()} has no field {min(unknown)}")
    for name, value in (("sequence", pdu.sequence), ("status", pdu.status)):
        if not 0 <= value <= 0xFFFFFFFF:
            raise ValueError(f"{name} must be from 0 to 0xFFFFFFFF, not {value}")
    body = _write_tlvs(pdu.tlvs)
    if not pdu.status or pdu.command not in _BODILESS_ERRORS or pdu.fields or body:
        fields = [each.write(pdu.fields.get(each.name, each.default), strict=strict) for each in layout]
        body = b"".join((*fields, body))
    length = HEADER + len(body)
    if length > LARGEST:
        raise ValueError(f"tlvs make a PDU of {length} octets, more than {LARGEST}")
    return _HEADER.pack(length, pdu.command, pdu.status, pdu.sequence) + body


def decode(frame: bytes) -> Pdu:
    """The PDU that these octets are, all of them.

    A response may have no body at all, and strings may be longer than the specification allows: both occur.

    Raises `BadPdu`: fatal when the octets are not as many as the PDU says.
    """
    if len(frame) < HEADER:
        raise BadPdu(f"{len(frame)} octets are no PDU", Status.INVALID_LENGTH, fatal=True)
    length, command, status, sequence = _HEADER.unpack_from(frame)
    if length != len(frame):
        problem = f"command_length is {length}, with {len(frame)} octets"
        raise BadPdu(problem, Status.INVALID_LENGTH, command=command, sequence=sequence, fatal=True)
    layout = _LAYOUTS.get(command)
    if layout is None:
        problem = f"command 0x{command:x} is not known"
        raise BadPdu(problem, Status.INVALID_COMMAND, command=command, sequence=sequence)
    if len(frame) == HEADER and command >= RESPONSE:
        return Pdu(command, sequence, status)
    fields: dict[str, str | int | bytes] = {}
    at, trouble = HEADER, Status.INVALID_LENGTH
    try:
        for each in layout:
            fields[each.name], at = each.read(frame, at)
        trouble = Status.INVALID_OPTIONAL_PARAMETERS
        return Pdu(command, sequence, status, fields, _read_tlvs(frame, at))
    except ValueError as short:
        problem = f"{Command(command).name.lower()}: {short}"
        raise BadPdu(problem, trouble, command=command, sequence=sequence) from None


def _write_tlvs(tlvs: Mapping[int, bytes]) -> bytes:
    written = []
    for tag, value in tlvs.items():
        if not 0 <= tag <= 0xFFFF or len(value) > 0xFFFF:
            raise ValueError(f"the optional parameter 0x{tag:x} has a tag or {len(value)} octets above 65535")
        written += [_TLV.pack(tag, len(value)), value]
    return b"".join(written)


def _read_tlvs(frame: bytes, at: int) -> dict[int, bytes]:
    """The optional parameters from there on. Up to three NULs at the end are padding: some SMSCs add it."""
    tlvs = {}
    while at + _TLV.size <= len(frame):
        tag, length = _TLV.unpack_from(frame, at)
        at += _TLV.size
        if at + length > len(frame):
            raise ValueError(f"the optional parameter 0x{tag:x} is cut short")
        tlvs[tag] = frame[at : at + length]
        at += length
    if any(frame[at:]):
        raise ValueError("octets are left after the optional parameters")
    return tlvs
