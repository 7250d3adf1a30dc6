"""Codecs that others wrote, asked what they make of our PDUs, and we of theirs."""

import json
import shutil
import struct
import subprocess
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

from smpp.pdu.pdu_encoding import PDUEncoder
from smpp.pdu.pdu_types import Option as Pdu3Option
from smpp.pdu.pdu_types import Tag

from adapters.smpp.pdu import Command, Pdu, decode, encode
from tests.adapters.smpp.generated import OPTIONS

_SCRIPT = Path(__file__).with_name("node_codec.js")
_NODE_NAMES = {"destination_port": "dest_port"}


def agree_with_pdu3(pdus: Sequence[Pdu]) -> None:
    """Fail at the first PDU that smpp.pdu3 reads otherwise, or writes so that we read it otherwise."""
    # It takes the length of the last octets read for the length to write: one of them only reads.
    reader, writer = PDUEncoder(), PDUEncoder()
    with redirect_stdout(StringIO()):  # it prints every time that it reads
        for pdu in pdus:
            theirs = reader.decode(BytesIO(encode(pdu)))
            assert _as_pdu3_read_it(writer, theirs) == _on_the_wire(pdu), pdu
            assert decode(writer.encode(theirs)) == pdu


def _as_pdu3_read_it(writer: Any, theirs: Any) -> dict[str, bytes]:
    """Each field and optional parameter, put back into octets by itself."""
    header = {"sequence": theirs.seqNum.to_bytes(4, "big")}
    header["command"] = writer.HeaderEncoders["command_id"].encode(theirs.commandId)
    header["status"] = writer.HeaderEncoders["command_status"].encode(theirs.status)
    encoders = writer.getRequiredParamEncoders(theirs)
    options = {name: value for name, value in theirs.params.items() if name not in theirs.mandatoryParams}
    fields = {name: value for name, value in theirs.params.items() if name not in options}
    return (
        header
        | {name: encoders[name].encode(value, name) for name, value in fields.items()}
        | {name: writer.optionEncoder.encode(Pdu3Option(Tag[name], value)) for name, value in options.items()}
    )


def _on_the_wire(pdu: Pdu) -> dict[str, bytes]:
    header = {name: getattr(pdu, name).to_bytes(4, "big") for name in ("sequence", "command", "status")}
    tlvs = {OPTIONS[tag].name: struct.pack(">HH", tag, len(value)) + value for tag, value in pdu.tlvs.items()}
    return header | {name: _octets(value) for name, value in pdu.fields.items()} | tlvs


def _octets(value: str | int | bytes) -> bytes:
    if isinstance(value, int):
        return bytes([value])
    return value.encode() + b"\0" if isinstance(value, str) else bytes([len(value)]) + value


def agree_with_node_smpp(pdus: Sequence[Pdu], node_modules: Path) -> None:
    """Fail at the first PDU that node-smpp reads or writes otherwise."""
    asked = "".join(f"{json.dumps(_question(pdu))}\n" for pdu in pdus)
    node = shutil.which("node")
    assert node is not None
    told = subprocess.run(
        [node, str(_SCRIPT), str(node_modules)], input=asked, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr[-2000:]
    answers = told.stdout.splitlines()
    for pdu, line in zip(pdus, answers, strict=True):
        answer = json.loads(line)
        expected = _for_node(pdu)
        assert {name: answer["read"].get(name) for name in expected} == expected, pdu
        assert answer["read"].keys() <= expected.keys() | {"command_length", "command_id", "command"}, pdu
        assert answer["read"]["command_id"] == pdu.command
        written = bytes.fromhex(answer["written"])
        if pdu.status:  # it writes no error with a body
            assert decode(written) == replace(pdu, fields={}, tlvs={})
        else:
            assert written == encode(pdu)
            assert decode(written) == pdu


def _question(pdu: Pdu) -> dict[str, Any]:
    frame = {"hex": encode(pdu).hex()}
    return {"frame": frame, "command": Command(pdu.command).name.lower(), "options": _for_node(pdu)}


def _for_node(pdu: Pdu) -> dict[str, Any]:
    """What the PDU holds, by node-smpp's names and in its types."""
    values: dict[str, Any] = {"sequence_number": pdu.sequence, "command_status": pdu.status, **pdu.fields}
    for tag, octets in pdu.tlvs.items():
        name, _, kind = OPTIONS[tag]
        value = int.from_bytes(octets, "big") if kind is int else octets
        values[_NODE_NAMES.get(name, name)] = octets[:-1].decode() if kind is str else value
    return {
        name: {"hex": value.hex()} if isinstance(value, bytes) else value for name, value in values.items()
    }
