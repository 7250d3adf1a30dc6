"""SMSCs that others wrote, as servers of the tests: SMPP as four others understood it.

Each has ways of its own, which `Abilities` tells. All of them give receipts to who asks for them. jsmpp and
OpenSMPP come by Maven, smpp.twisted3 by pip, node-smpp by npm.
"""

import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Protocol

import pytest

from tests.servers import jars
from tests.servers.certificates import Certificates
from tests.servers.choose import Kind, Server, first
from tests.servers.fixtures import _keeping_logs, _make, _numbered, _stopping
from tests.servers.node import needed, node
from tests.servers.process import ServerFailed, ServerProcess, free_port, is_alive, log_tail, wait_until

START_SECONDS = 30
ECHO = "447700900999"
"""Where `Abilities.echoes`: what is sent to this number comes back from it."""
_ANSWER_SECONDS = 10
_HERE = Path(__file__).parent
_POM = _HERE / "smsc-pom.xml"
_JVM = ["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]


@dataclass(frozen=True)
class Abilities:
    """What an SMSC does beyond taking binds and texts, and how its ways differ."""

    message_ids: Literal["same", "hex_then_decimal", "decimal_then_hex"]
    """In the response, then in the receipt: the mapping's option of that name."""
    receipt_tlvs: bool
    """Whether a receipt says by TLVs too what it says by its text."""
    transceivers_only: bool = False
    greeting: str | None = None
    """What it delivers after every bind."""
    delivers: bool = True
    """Whether `deliver` works."""
    chooses_addresses: bool = True
    """Whether `deliver` takes addresses, and long texts; else both addresses are empty."""
    echoes: bool = False
    """Whether what is sent to the number `ECHO` comes back from it."""
    throttles_every: int = 0
    """How often it answers 0x58; 0: never."""


class Smsc(Server, Protocol):
    """An SMSC: where it listens, and whom it lets in."""

    host: str
    port: int
    system_id: str
    password: str
    abilities: Abilities

    def deliver(self, text: str, *, source: str = "", destination: str = "") -> None:
        """Let it deliver a text to the session that is bound. Returns when it has been sent.

        Raises `ValueError` where the SMSC cannot do so, `ServerFailed` if nobody is bound.
        """
        ...


_MISSING = "An SMSC is missing: install Java 17 and Maven; `pip install smpp.twisted3`."


class _Smsc:
    """A program with a console: lines written to it are commands, what it prints is its log."""

    stands_in = False
    host = "127.0.0.1"
    name: str
    system_id: str
    password: str
    abilities: Abilities
    ready: str
    """What it prints when it listens: a regular expression."""

    def __init__(self, folder: Path) -> None:
        """Nothing runs before `start`."""
        self.port = free_port()
        self.folder = folder
        self.log_path = folder / "smsc.log"
        self._console: int | None = None
        self._process: ServerProcess | None = None
        self._seen = 0  # of what it printed, before it was started the last time

    def command(self) -> Sequence[str | Path]:
        """What starts it."""
        raise NotImplementedError

    def first_commands(self) -> str:
        """What it is told when it starts."""
        return ""

    def start(self) -> None:
        """Return when it listens; raises `ServerFailed` if it does not, within 30 s."""
        if self._process is not None and is_alive(self._process.pid) and not self.has_given_up():
            return
        self.kill()
        self.folder.mkdir(parents=True, exist_ok=True)
        console = self.folder / "console"
        if not console.exists():
            os.mkfifo(console)
        self._console = os.open(console, os.O_RDWR)  # a FIFO without a writer would be at its end
        os.write(self._console, self.first_commands().encode())
        self._seen = len(self.printed())
        ready = re.compile(self.ready)
        from_console = ["sh", "-c", 'exec "$@" <"$0"', console, *self.command()]
        process = ServerProcess(from_console, self.log_path)
        process.wait_until(
            lambda: ready.search(self.printed(), self._seen) is not None,
            seconds=START_SECONDS,
            what=f"{self.name} (port {self.port})",
        )
        self._process = process

    def has_given_up(self) -> bool:
        """Whether it runs, but listens no more."""
        return False

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def deliver(self, text: str, *, source: str = "", destination: str = "") -> None:
        raise ValueError(f"{self.name} delivers nothing on demand.")

    def printed(self) -> str:
        """All that it has printed."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def _tell(self, line: str) -> None:
        if self._console is None:
            raise ServerFailed(f"{self.name} does not run: start it first.")
        os.write(self._console, f"{line}\n".encode())

    def _answer(self, seen: int, answers: Sequence[str]) -> tuple[str, int]:
        """The first of these that it printed after so many characters, and how many it has then printed."""

        def found() -> list[tuple[int, str]]:
            told = self.printed()
            return [(told.index(answer, seen), answer) for answer in answers if answer in told[seen:]]

        try:
            wait_until(lambda: bool(found()), seconds=_ANSWER_SECONDS, what=self.name)
        except TimeoutError as late:
            raise ServerFailed(f"{late} The end of its log:\n{log_tail(self.log_path)}") from None
        where, answer = min(found())
        return answer, where + len(answer)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.end(number)
            self._process = None
        if self._console is not None:
            os.close(self._console)
            self._console = None


class JsmppSmsc(_Smsc):
    """jsmpp's simulator: the strictest. It greets whoever binds, and takes one bind at a time.

    A receipt comes a second after the response; responses come in any order. While a connection has not
    bound, no other is accepted, and when one goes before its greeting, none ever again. It listens on every
    address: it has no option for that.
    """

    name = "jsmpp's SMPPServerSimulator, from its jars"
    system_id = "parley"
    password = "jpwd"
    abilities = Abilities(
        message_ids="hex_then_decimal",
        receipt_tlvs=False,
        transceivers_only=True,
        greeting="Hello World",
        delivers=False,
    )
    ready = "Listening on port"

    def command(self) -> Sequence[str | Path]:
        settings = {
            "jsmpp.simulator.port": self.port,
            "jsmpp.client.systemId": self.system_id,
            "jsmpp.client.password": self.password,
        }
        return _java("org.jsmpp.examples.SMPPServerSimulator", settings)

    def has_given_up(self) -> bool:
        return "IO error occurred" in self.printed()[self._seen :]


class OpenSmppSmsc(_Smsc):
    """OpenSMPP's simulator: slow. Each response takes 0.3 s, a receipt up to 5 s, and either may be first.

    In a receipt both addresses are the recipient's. Once it is asked for the receipt of a message_payload it
    gives none any more. It delivers to every session of its user. It listens on every address: it has no
    option for that.
    """

    name = "OpenSMPP's simulator, from its jars"
    system_id = "parley"
    password = "opensmpp"
    abilities = Abilities(message_ids="same", receipt_tlvs=False, chooses_addresses=False)
    _menu_end = "- 0 exit\n"
    ready = f"started.\n[^>]*{_menu_end}"

    def command(self) -> Sequence[str | Path]:
        users = self.folder / "users.txt"
        users.write_text(f"name={self.system_id}\npassword={self.password}\n")
        return _java("org.smpp.smscsim.Simulator", {"usersFileName": users})

    def first_commands(self) -> str:
        return f"1\n{self.port}\n"

    def deliver(self, text: str, *, source: str = "", destination: str = "") -> None:
        if source or destination:
            raise ValueError(f"{self.name} leaves both addresses empty: give none.")
        if not (text.isascii() and text.isprintable()) or text.isdecimal():
            raise ValueError(f"{self.name} takes ASCII texts of one line that are not a number.")
        replies = {"Type name of the destination>": self.system_id, "Type the message>": text}
        sent = False
        seen = len(self.printed())
        self._tell("4")
        while True:
            answer, seen = self._answer(seen, [*replies, "Message sent.", self._menu_end])
            if answer in replies:
                self._tell(replies[answer])
            elif answer == self._menu_end:
                break
            sent = True if answer == "Message sent." else sent
        if not sent:
            raise ServerFailed(f"{self.name} could not deliver: nobody is bound.")


class _ScriptedSmsc(_Smsc):
    """A server of others with a script of ours, which has the same commands on every such server."""

    system_id = "parley"
    ready = "listening"

    def deliver(self, text: str, *, source: str = "", destination: str = "") -> None:
        told = {"source": source, "destination": destination, "text": text}
        seen = len(self.printed())
        self._tell(json.dumps(told))
        if self._answer(seen, ["delivered", "nobody is bound"])[0] != "delivered":
            raise ServerFailed(f"{self.name} could not deliver: nobody is bound.")


class TwistedSmsc(_ScriptedSmsc):
    """smpp.twisted3's server: sends enquire_link after half a quiet second, ends without an answer in 2 s.

    It delivers long texts in parts with sar_* parameters, and gives receipts 50 ms after the response.
    """

    name = "smpp.twisted3's server"
    password = "twisted"
    abilities = Abilities(message_ids="decimal_then_hex", receipt_tlvs=True, echoes=True)

    def command(self) -> Sequence[str | Path]:
        script = _HERE / "smsc_twisted.py"
        return [sys.executable, script, str(self.port), self.system_id, self.password, ECHO]


class NodeSmsc(_ScriptedSmsc):
    """node-smpp's server: the fastest. It labels texts of the GSM alphabet as data coding 1.

    It delivers long texts in parts with a user data header, and gives receipts at once after the response.
    """

    name = "node-smpp's server"
    password = "bar"

    def __init__(
        self, folder: Path, *, throttle_every: int = 0, certificates: Certificates | None = None
    ) -> None:
        """Let every so manieth text be refused with 0x58; with certificates it takes only TLS."""
        super().__init__(folder)
        self.abilities = Abilities("same", receipt_tlvs=True, echoes=True, throttles_every=throttle_every)
        self._certificates = certificates

    def command(self) -> Sequence[str | Path]:
        program = node()
        if program is None:
            raise ServerFailed("node-smpp needs Node.js: install it, with npm.")
        options: dict[str, object] = {
            "port": self.port,
            "systemId": self.system_id,
            "password": self.password,
            "echo": ECHO,
            "throttleEvery": self.abilities.throttles_every,
        }
        if self._certificates is not None:
            options["key"] = options["cert"] = str(self._certificates.server)
        return [program, _HERE / "smsc_node.js", needed(), json.dumps(options)]


def _java(program: str, settings: Mapping[str, object]) -> list[str | Path]:
    machine, folder = jars.java(), _java_smscs()
    if machine is None or folder is None:
        raise ServerFailed("jsmpp and OpenSMPP need Java 17 or later, and Maven: install them.")
    defined = [f"-D{name}={value}" for name, value in settings.items()]
    return [machine, *_JVM, *defined, "-cp", f"{folder}/*", program]


@cache
def _java_smscs() -> Path | None:
    """The folder of the jars, downloaded first if need be. Says on stderr if that fails."""
    if jars.java() is None:
        return None
    try:
        return jars.dependencies(_POM, "SMSCs in Java")
    except ServerFailed as failed:
        sys.stderr.write(f"\n{failed}\n")
        return None


_JSMPP: Kind[Smsc] = Kind(lambda: _java_smscs() is not None, JsmppSmsc)
_OPENSMPP: Kind[Smsc] = Kind(lambda: _java_smscs() is not None, OpenSmppSmsc)
_TWISTED: Kind[Smsc] = Kind(lambda: bool(find_spec("smpp") and find_spec("twisted")), TwistedSmsc)
_NODE: Kind[Smsc] = Kind(lambda: needed().is_dir(), NodeSmsc)  # `needed` skips and fails by itself


@pytest.fixture(scope="session")
def smscs(request: pytest.FixtureRequest) -> Iterator[Callable[[str, Kind[Smsc]], Smsc]]:
    """Gives the run's SMSC of that name, which tests share: started when it is not running."""
    made: dict[str, Smsc] = {}
    with _keeping_logs(request, "smscs") as folder, _stopping() as started:

        def running(name: str, kind: Kind[Smsc]) -> Smsc:
            if name not in made:
                made[name] = _make(request, lambda mine: first([kind], _MISSING).make(mine), folder / name)
            return started(made[name])

        yield running


@pytest.fixture
def jsmpp(smscs: Callable[[str, Kind[Smsc]], Smsc]) -> Smsc:
    """The run's jsmpp: one bind at a time."""
    return smscs("jsmpp", _JSMPP)


@pytest.fixture
def opensmpp(smscs: Callable[[str, Kind[Smsc]], Smsc]) -> Smsc:
    """The run's OpenSMPP."""
    return smscs("opensmpp", _OPENSMPP)


@pytest.fixture
def smpp_twisted(smscs: Callable[[str, Kind[Smsc]], Smsc]) -> Smsc:
    """The run's smpp.twisted3."""
    return smscs("smpp_twisted", _TWISTED)


@pytest.fixture
def node_smpp(smscs: Callable[[str, Kind[Smsc]], Smsc]) -> Smsc:
    """The run's node-smpp: without TLS, without throttling."""
    return smscs("node_smpp", _NODE)


@pytest.fixture(params=["jsmpp", "opensmpp", "smpp_twisted", "node_smpp"])
def others_smsc(request: pytest.FixtureRequest) -> Smsc:
    """Each of the run's SMSCs in turn."""
    server: Smsc = request.getfixturevalue(request.param)
    return server


@pytest.fixture(params=["smpp_twisted", "node_smpp"])
def scripted_smsc(request: pytest.FixtureRequest) -> Smsc:
    """Those of them in turn that do what a script of ours says: they deliver what they are told, and echo."""
    server: Smsc = request.getfixturevalue(request.param)
    return server


@pytest.fixture
def new_node_smpp(request: pytest.FixtureRequest, server_folder: Path) -> Iterator[Callable[..., Smsc]]:
    """Starts a node-smpp for this test alone, with `NodeSmsc`'s keywords; it ends with the test."""
    needed()
    with _stopping() as started:

        def make(**how: Any) -> Smsc:
            folder = _numbered(server_folder, "node-smpp")
            return started(_make(request, lambda folder: NodeSmsc(folder, **how), folder))

        yield make
