"""The connection: TLS that verifies, SASL, and failures in our own words."""

import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.kafka.connection import KafkaConnection
from adapters.kafka.log import KafkaLog
from adapters.kafka.topics import TopicPlan, make_topics
from domain.errors import LogUnavailable
from tests.contracts.log_contract import everything, records, values
from tests.fakes.clock import FakeClock
from tests.servers.kafka import KafkaServer, SecureListener


@pytest.fixture
def secure(own_broker: KafkaServer, listener: SecureListener) -> KafkaConnection:
    """How to reach the broker by TLS and SCRAM."""
    assert own_broker.secure_bootstrap is not None
    return KafkaConnection(
        own_broker.secure_bootstrap,
        security="SASL_SSL",
        ca_file=listener.certificates.authority,
        mechanism=listener.mechanism,
        user=listener.user,
        password=listener.password,
    )


def test_tls_and_scram(secure: KafkaConnection, clock: FakeClock) -> None:
    make_topics(secure, [TopicPlan("secure", 4, 1, {})])
    log = KafkaLog(secure, "secure", clock)
    log.append(records("1", "2"))
    assert values(everything(log)) == ["1", "2"]
    log.close()


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.kafka.connection.BOOTSTRAP_MS", 1_500)


@pytest.mark.usefixtures("impatience")
def test_a_wrong_password_is_refused(secure: KafkaConnection) -> None:
    make_topics(secure, [])
    with pytest.raises(LogUnavailable, match="Are protocol, certificates, user and password right"):
        make_topics(replace(secure, password="wrong"), [])


@pytest.mark.usefixtures("impatience")
def test_a_certificate_of_an_unknown_authority_is_refused(
    secure: KafkaConnection, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(LogUnavailable, match=r"cannot be reached at .* \(SASL_SSL\)"):
        make_topics(replace(secure, ca_file=None), [])
    assert "CERTIFICATE_VERIFY_FAILED" in caplog.text


def test_tls_verifies_certificate_and_host_name() -> None:
    for connection in (
        KafkaConnection("one:1", security="SSL"),
        KafkaConnection("one:1", security="SASL_SSL"),
    ):
        context = connection.options()["ssl_context"]
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_several_brokers() -> None:
    options = KafkaConnection("one:9092, two:9092").options()
    assert options["bootstrap_servers"] == ["one:9092", "two:9092"]
    assert "ssl_context" not in options
    assert "sasl_mechanism" not in options


def test_certificates_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    with pytest.raises(ValueError, match=r"certificates for Kafka cannot be read \(.*missing\.pem\)"):
        KafkaConnection("broker:9093", security="SSL", ca_file=missing).options()


def test_the_password_is_not_shown() -> None:
    assert "hush" not in repr(KafkaConnection("broker:9093", password="hush"))
