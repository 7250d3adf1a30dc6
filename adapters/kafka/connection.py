"""How Kafka is reached: where, by which security, and what its failures are called here."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from kafka.errors import KafkaError
from kafka.net.compat import KafkaNetClient

from domain.errors import LogUnavailable

BOOTSTRAP_MS = 10_000
"""How long the first contact may take, refused log-ins included, which kafka-python repeats for so long."""

Security = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


@dataclass(frozen=True)
class KafkaConnection:
    """What every client needs to reach the brokers.

    Over TLS, brokers must show a certificate for their host name by the authorities in `ca_file` (by those
    that the system trusts, without one); `cert_file` and `key_file` are our own certificate, where brokers
    ask for one. With SASL, `user` and `password` log in by `mechanism`.
    """

    bootstrap: str  # host:port, or several with commas between
    security: Security = "PLAINTEXT"
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    mechanism: Mechanism = "SCRAM-SHA-512"
    user: str = ""
    password: str = field(default="", repr=False)

    def options(self) -> dict[str, Any]:
        """What kafka-python's producer, consumer and admin client are all made with.

        Raises ValueError when a certificate's file cannot be read.
        """
        options: dict[str, Any] = {
            "bootstrap_servers": [each.strip() for each in self.bootstrap.split(",")],
            "client_id": "parley",
            "security_protocol": self.security,
            "bootstrap_timeout_ms": BOOTSTRAP_MS,
            "reconnect_backoff_max_ms": 1_000,  # by default a broker may be back for 30 s unnoticed
        }
        if self.security in ("SSL", "SASL_SSL"):
            options["ssl_context"] = self._tls()
        if self.security in ("SASL_PLAINTEXT", "SASL_SSL"):
            options["sasl_mechanism"] = self.mechanism
            options["sasl_plain_username"] = self.user
            options["sasl_plain_password"] = self.password
        return options

    def _tls(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ca_file)  # verifies certificate and host name
            if self.cert_file is not None:
                context.load_cert_chain(self.cert_file, self.key_file)
        except OSError as error:
            files = ", ".join(str(file) for file in (self.ca_file, self.cert_file, self.key_file) if file)
            raise ValueError(f"The certificates for Kafka cannot be read ({files}): {error}") from error
        return context


def open_client(kind: Any, connection: KafkaConnection, **options: Any) -> Any:
    """A producer, consumer or admin client of kafka-python.

    When it cannot reach Kafka, kafka-python leaves its sockets open and its thread running; this closes them.
    Raises LogUnavailable.
    """
    opened: list[Any] = []

    def open_network(**configs: Any) -> Any:
        opened.append(KafkaNetClient(**configs))
        return opened[0]

    try:
        return kind(**{**connection.options(), **options, "kafka_client": open_network})
    except KafkaError as error:
        for network in opened:
            network.close()
        raise LogUnavailable(
            f"Kafka cannot be reached at {connection.bootstrap} ({connection.security}): {reason(error)}."
            " Does it run? Are protocol, certificates, user and password right? The log says more."
        ) from error


@contextmanager
def kafka_failures(doing: str) -> Iterator[None]:
    """Raise kafka-python's errors as LogUnavailable, saying what was being done."""
    try:
        yield
    except KafkaError as error:
        raise LogUnavailable(f"Kafka: {doing}: {reason(error)}") from error


def reason(error: Exception) -> str:
    """An error in a few words: kafka-python's own texts may quote whole requests."""
    description = getattr(error, "description", "") or str(error)
    return f"{type(error).__name__}, {description[:200]}" if description else type(error).__name__
