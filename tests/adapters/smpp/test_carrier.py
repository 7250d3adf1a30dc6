"""The connections that a carrier keeps, and checking an account."""

import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from adapters.providers.smpp import SmppProvider
from adapters.smpp.carrier import SmppCarrier
from adapters.smpp.pdu import Command, Status
from contracts.providers import IDS, Inbox, wait_until
from domain.providers import Handover, Misconfigured, NotTaken, SendError
from tests.adapters.smpp.smpp_cases import (
    WIRE_CUSTOMER,
    WIRE_NUMBER,
    Hasty,
    account,
    keep,
    message,
    open_carrier,
    states,
    with_credentials,
)
from tests.fakes.clock import FakeClock
from tests.fakes.smsc import Smsc
from tests.fakes.smsc_faults import (
    RefusesBind,
    UnbindsItself,
)
from tests.servers.certificates import Certificates, make_certificates

# ── the connections that are kept ──────────────────────────────────────────────────────────────


def test_connecting_returns_at_once_and_goes_on_until_it_is_bound(smsc: Smsc, inbox: Inbox) -> None:
    smsc.refuse()
    carrier = open_carrier(account(smsc))
    assert carrier.standing == 1
    carrier.connect(0, IDS, inbox.deliver)
    wait_until(lambda: states(carrier)[0].startswith("reconnecting in 0 s: cannot connect to"))
    assert not carrier.ready()
    smsc.accept()
    wait_until(lambda: carrier.connections() == ["connection 0: bound"])
    assert carrier.ready()
    carrier.close()
    assert carrier.connections() == []


def test_connecting_again_changes_nothing(smsc: Smsc, carrier: SmppCarrier, inbox: Inbox) -> None:
    carrier.connect(0, IDS, inbox.deliver)
    carrier.send(message())
    assert (smsc.bound, smsc.connections) == (1, 1)


def test_a_connection_given_up_is_unbound(smsc: Smsc, carrier: SmppCarrier) -> None:
    carrier.disconnect(0)
    carrier.disconnect(0)
    assert smsc.received[-1].command == Command.UNBIND
    smsc.wait_until(lambda: smsc.bound == 0)
    assert (carrier.ready(), carrier.connections()) == (False, [])
    with pytest.raises(NotTaken):  # it is another process's now: no bind of our own
        carrier.send(message())


def test_one_given_up_while_it_cannot_connect(smsc: Smsc, inbox: Inbox) -> None:
    smsc.refuse()
    carrier = open_carrier(account(smsc))
    carrier.connect(0, IDS, inbox.deliver)
    carrier.disconnect(0)
    assert carrier.connections() == []


@pytest.mark.parametrize("status", [Status.BIND_FAILED, Status.INVALID_PASSWORD, Status.INVALID_SYSTEM_ID])
def test_refused_credentials_are_not_tried_often(status: Status, smsc: Smsc, inbox: Inbox) -> None:
    smsc.misbehave(RefusesBind(status))
    carrier = open_carrier(account(smsc))
    carrier.connect(0, IDS, inbox.deliver)
    wait_until(lambda: states(carrier)[0].startswith("reconnecting in 60 s: the SMSC "))
    assert f"(0x{status:08X})" in carrier.connections()[0]
    carrier.close()


def test_an_earlier_session_has_time_to_end(smsc: Smsc, inbox: Inbox) -> None:
    smsc.misbehave(RefusesBind(Status.ALREADY_BOUND))
    carrier = open_carrier(account(smsc))
    carrier.connect(0, IDS, inbox.deliver)
    wait_until(lambda: states(carrier)[0].startswith("reconnecting in 10 s: "))
    carrier.close()


def test_any_other_refusal_is_tried_again_soon(smsc: Smsc, inbox: Inbox) -> None:
    smsc.misbehave(RefusesBind(Status.SYSTEM_ERROR, 3))
    carrier = open_carrier(account(smsc))
    keep(carrier, inbox)
    assert smsc.connections == 4
    carrier.close()


def test_it_binds_again_when_the_smsc_unbinds(smsc: Smsc, carrier: SmppCarrier) -> None:
    smsc.misbehave(UnbindsItself())
    carrier.send(message())
    smsc.wait_until(lambda: smsc.connections == 2)
    wait_until(carrier.ready)
    carrier.send(message())


def test_a_customers_texts_keep_to_one_connection(smsc: Smsc, inbox: Inbox) -> None:
    carrier = open_carrier(account(smsc, binds=3))
    assert carrier.standing == 3
    keep(carrier, inbox, range(3))
    messages = [
        message(customer_address=f"+4477009001{customer:02}") for customer in range(20) for _ in range(3)
    ]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(carrier.send, messages))
    ways = {(each.destination, each.connection) for each in smsc.taken}
    assert len(ways) == 20
    assert len({connection for _, connection in ways}) == 3
    carrier.disconnect(1)
    before = len(smsc.taken)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(carrier.send, messages))
    moved = {(each.destination, each.connection) for each in smsc.taken[before:]} - ways
    assert 0 < len(moved) < 20  # those of the connection that went
    carrier.close()


def test_a_transmitter_and_a_receiver(smsc: Smsc, inbox: Inbox) -> None:
    carrier = open_carrier(account(smsc, bind_mode="transmitter_and_receiver"))
    keep(carrier, inbox)
    assert carrier.connections() == ["connection 0: transmitter bound, receiver bound"]
    binds = {each.command for each in smsc.received}
    assert binds == {Command.BIND_TRANSMITTER, Command.BIND_RECEIVER}
    carrier.send(message())
    assert [each.mode for each in smsc.taken] == [Command.BIND_TRANSMITTER]
    delivery = smsc.send_text(WIRE_CUSTOMER, WIRE_NUMBER, "Hello")
    smsc.wait_until(lambda: delivery.acknowledged)
    carrier.close()
    smsc.wait_until(lambda: smsc.bound == 0)


# ── without any ────────────────────────────────────────────────────────────────────────────────


def test_where_nobody_keeps_connections_a_send_binds_for_itself(smsc: Smsc) -> None:
    carrier = open_carrier(account(smsc))
    waiting = smsc.send_text(WIRE_CUSTOMER, WIRE_NUMBER, "Hello")
    assert carrier.send(message()) == Handover("1", 1)
    assert smsc.received[-1].command == Command.UNBIND
    smsc.wait_until(lambda: smsc.bound == 0)
    assert not waiting.acknowledged  # it stays with the SMSC
    carrier.close()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (Status.INVALID_PASSWORD, Misconfigured),
        (Status.SYSTEM_ERROR, NotTaken),
        (Status.ALREADY_BOUND, NotTaken),
    ],
)
def test_a_bind_refused_is_no_message_lost(status: int, kind: type[SendError], smsc: Smsc) -> None:
    smsc.misbehave(RefusesBind(status))
    with pytest.raises(kind) as caught:
        open_carrier(account(smsc)).send(message())
    assert caught.value.code == f"0x{status:08X}"


# ── checking ───────────────────────────────────────────────────────────────────────────────────


def test_a_check_binds_and_unbinds(smsc: Smsc) -> None:
    assert open_carrier(account(smsc)).check() == []
    assert [each.command for each in smsc.received] == [Command.BIND_TRANSCEIVER, Command.UNBIND]


def test_a_check_needs_no_bind_where_one_stands(smsc: Smsc, carrier: SmppCarrier) -> None:
    assert carrier.check() == []
    assert smsc.connections == 1


@pytest.mark.parametrize(
    ("credentials", "field"),
    [
        ({"password": "wrong"}, "credentials.password"),
        ({"user": "wrong"}, "credentials.user"),
        ({"password": "much too long"}, "credentials"),
    ],
)
def test_a_check_names_the_credential(credentials: dict[str, str], field: str, smsc: Smsc) -> None:
    [problem] = open_carrier(with_credentials(account(smsc), **credentials)).check()
    assert problem.field == field


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        (Status.BIND_FAILED, ["credentials.user"]),
        (Status.SYSTEM_ERROR, ["provider"]),
        (Status.ALREADY_BOUND, []),
    ],
)
def test_a_check_that_is_refused_otherwise(status: Status, fields: list[str], smsc: Smsc) -> None:
    smsc.misbehave(RefusesBind(status))
    assert [each.field for each in open_carrier(account(smsc)).check()] == fields


# ── TLS ────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return make_certificates(tmp_path)


@pytest.fixture
def encrypted(certificates: Certificates) -> Iterator[Smsc]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server)
    with Smsc(tls=context) as running:
        yield running


def test_it_sends_and_receives_by_tls(encrypted: Smsc, certificates: Certificates, inbox: Inbox) -> None:
    def trusting() -> ssl.SSLContext:
        return ssl.create_default_context(cafile=certificates.authority)

    carrier = SmppProvider(FakeClock(), Hasty(1), trusting).open(account(encrypted, tls=True))
    assert carrier.check() == []
    keep(carrier, inbox)
    carrier.send(message())
    delivery = encrypted.send_text(WIRE_CUSTOMER, WIRE_NUMBER, "Hello")
    encrypted.wait_until(lambda: delivery.acknowledged)
    carrier.close()


def test_a_certificate_that_nobody_vouches_for_is_the_tls_options_problem(encrypted: Smsc) -> None:
    carrier = open_carrier(account(encrypted, tls=True))
    assert [each.field for each in carrier.check()] == ["options.tls"]
    with pytest.raises(NotTaken):
        carrier.send(message())
