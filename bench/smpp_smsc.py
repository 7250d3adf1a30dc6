"""An SMSC that delivers as fast as it is acknowledged: node-smpp's server with a script of our own."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Self

from bench.webhooks import Text
from tests.servers.node import node, node_modules

_SCRIPT = Path(__file__).with_name("smpp_sender.js")
_CHARACTERS = 70  # so many fit into one message, in whatever alphabet


class SendingSmsc:
    """The server, as a process of its own, within a `with`. It takes any credentials and any message."""

    host = "127.0.0.1"
    system_id = "parley"
    password = "any"  # noqa: S105 - of a server that takes every one

    def __enter__(self) -> Self:
        command = [str(node()), str(_SCRIPT), str(node_modules())]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
        )
        self.port = int(self._read())
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.kill()
        self._process.communicate()

    def pour(self, texts: Sequence[Text], window: int) -> None:
        """Let it deliver these, so many unacknowledged at once. Returns before it has."""
        lines = [(each.customer[1:], each.ours[1:], each.body[:_CHARACTERS]) for each in texts]
        told = _there(self._process.stdin)
        told.write(json.dumps({"window": window, "texts": lines}) + "\n")
        told.flush()

    def poured(self) -> float:
        """Wait until all are acknowledged; the seconds that took. RuntimeError if some were refused."""
        said = json.loads(self._read())
        if said["refused"]:
            raise RuntimeError(f"{said['refused']} deliveries were refused")
        return float(said["seconds"])

    def _read(self) -> str:
        line = _there(self._process.stdout).readline()
        if not line:
            raise RuntimeError("the sending SMSC has ended")
        return line


def _there(stream: IO[str] | None) -> IO[str]:
    assert stream is not None  # noqa: S101 - for mypy: it was asked for
    return stream
