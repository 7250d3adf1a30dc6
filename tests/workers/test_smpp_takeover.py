"""Two processes of `parley dispatch` and one SMPP mapping: one is bound, and when it dies the other is."""

import os
import signal
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID

import pytest

from adapters.smpp.pdu import Command
from domain.administration import MappingDraft
from domain.mapping_settings import ChatControl, Kind, MappingSettings, Route, Status
from domain.message_values import MessageStatus
from domain.messages import Message
from domain.threads import Thread
from projections.history_queries import HistoryQueries
from tests.fakes.smsc import Smsc
from tests.fakes.smsc_faults import LosesAcknowledgements
from tests.flows.smpp_line import texts
from tests.servers.process import ServerProcess, free_port, wait_until
from tests.workers.cluster import ADMIN, Cluster, Process, cluster, run
from workers.worker import LEASE

__all__ = ["cluster"]

ROOT = Path(__file__).parents[2]
NUMBER, CUSTOMER = "+15005550030", "+14155550123"
WIRE_NUMBER, WIRE_CUSTOMER = NUMBER.removeprefix("+"), CUSTOMER.removeprefix("+")
SECONDS = 30


@pytest.fixture
def smsc() -> Iterator[Smsc]:
    with Smsc() as running:
        yield running


@pytest.fixture
def dispatch(cluster: Cluster, tmp_path: Path) -> Iterator[Callable[[], ServerProcess]]:
    """Starts `parley dispatch`, and returns when it is ready."""
    settings = cluster.settings
    assert settings.database_url
    assert settings.master_key
    environment = {
        "PARLEY_DATABASE_URL": settings.database_url.get_secret_value(),
        "PARLEY_KAFKA": settings.kafka,
        "PARLEY_NAMESPACE": settings.namespace,
        "PARLEY_MASTER_KEY": settings.master_key.get_secret_value(),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
    }
    with ExitStack() as stack:

        def start() -> ServerProcess:
            port = free_port()
            folder = tmp_path / f"dispatch-{port}"
            folder.mkdir()
            own = {"PARLEY_PORT": str(port), "PARLEY_DATA_DIR": str(folder)}
            variables = [f"{name}={value}" for name, value in {**environment, **own}.items()]
            command = [sys.executable, "-c", "from workers.cli import main; main()", "dispatch"]
            process = ServerProcess(["env", "-i", *variables, *command], folder / "process.log")
            stack.callback(process.end, signal.SIGKILL)
            process.wait_until(lambda: _is_ready(port), seconds=SECONDS, what="parley dispatch")
            return process

        yield start


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5):
            return True
    except OSError:
        return False


class Rest:
    """All of Parley but dispatch, stepped by hand."""

    def __init__(self, process: Process, smsc: Smsc) -> None:
        self.process = process
        self.platform = process.platform
        settings = MappingSettings(
            kind=Kind.SMPP,
            code="SM",
            status=Status.ACTIVE,
            default_country="US",
            host=smsc.host,
            port=smsc.port,
            credentials={"user": smsc.system_id},
            chat_control=ChatControl(suppress_system_messages=True),
            options={"segments_per_second": 100.0, "response_seconds": 1.0},
            routes=(Route(NUMBER, "Text line", "SUPPORT"),),
        )
        self.platform.mappings.add(ADMIN, MappingDraft(settings, {"password": smsc.password}))
        self.settle()

    def settle(self) -> None:
        self.process.ingest()
        run(self.platform.projector(), self.platform.router())

    def texts(self) -> list[str]:
        """What the customer's conversation shows of the customer."""
        self.settle()
        said = HistoryQueries(self.platform.views).messages(self._conversation())
        return [each.text for each in said if each.inbound]

    def reply(self, text: str) -> UUID:
        done = self.platform.desk.reply(ADMIN, self._conversation(), text, (), f"key-{text}")
        self.settle()
        return done.result

    def wait_for(self, message_id: UUID, status: MessageStatus) -> None:
        def is_so() -> bool:
            self.settle()
            message = self.platform.store.load([message_id])[message_id]
            return isinstance(message, Message) and message.status is status

        wait_until(is_so, seconds=SECONDS, what=f"the message that is to be {status}")

    def _conversation(self) -> UUID:
        thread_id = self.platform.ids.thread(NUMBER, CUSTOMER)
        thread = self.platform.store.load([thread_id])[thread_id]
        assert isinstance(thread, Thread)
        assert thread.open_conversation
        return thread.open_conversation


@pytest.fixture
def rest(cluster: Cluster, smsc: Smsc) -> Rest:
    return Rest(cluster.open(begin=True), smsc)


def test_when_the_one_that_is_bound_is_killed_the_other_binds_and_nothing_is_lost_or_doubled(
    smsc: Smsc, rest: Rest, dispatch: Callable[[], ServerProcess]
) -> None:
    first = dispatch()
    smsc.wait_until(lambda: smsc.bound == 1)
    dispatch()
    hello = smsc.send_text(WIRE_CUSTOMER, WIRE_NUMBER, "Hello")
    smsc.wait_until(lambda: hello.acknowledged)
    rest.settle()
    one = rest.reply("One")
    smsc.wait_until(lambda: len(smsc.taken) == 1)
    rest.wait_for(one, MessageStatus.ACCEPTED)
    assert smsc.connections == 1
    # The acknowledgement of the next text is lost, and its process dies before it can bind again.
    smsc.refuse()
    smsc.misbehave(LosesAcknowledgements())
    lost = smsc.send_text(WIRE_CUSTOMER, WIRE_NUMBER, "Are you there?")
    smsc.wait_until(lambda: smsc.bound == 0)
    two = rest.reply("Two")
    first.end(signal.SIGKILL)
    smsc.accept()
    smsc.wait_until(lambda: lost.acknowledged, LEASE.total_seconds() + SECONDS)
    rest.wait_for(two, MessageStatus.ACCEPTED)
    assert lost.sent == 2
    assert rest.texts() == ["Hello", "Are you there?"]
    assert texts(smsc.taken) == ["One", "Two"]


def test_one_that_is_told_to_stop_unbinds_and_the_other_need_not_wait(
    smsc: Smsc, rest: Rest, dispatch: Callable[[], ServerProcess]
) -> None:
    first = dispatch()
    smsc.wait_until(lambda: smsc.bound == 1)
    dispatch()
    first.end(signal.SIGTERM)
    smsc.wait_until(lambda: smsc.connections == 2, LEASE.total_seconds() / 2)
    assert [each.command for each in smsc.received[:2]] == [Command.BIND_TRANSCEIVER, Command.UNBIND]
