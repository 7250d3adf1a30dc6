"""Settings: environment variables under `PARLEY_`, read here and nowhere else."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from adapters.kafka.connection import Mechanism, Security
from adapters.keys.master import MasterKey


class SettingsError(Exception):
    """A setting is wrong; the message names the variable and what would be right."""


class Settings(BaseSettings):
    """Everything that can be set from outside, with its default."""

    model_config = SettingsConfigDict(env_prefix="PARLEY_", extra="ignore", frozen=True)

    data_dir: Annotated[
        Path, Field(description="where the files of the embedded shape live; in the cluster, the spool")
    ] = Path("var/data")
    host: Annotated[str, Field(description="the address to listen on")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="the port to listen on; 0 takes a free one")] = (
        8080
    )
    public_url: Annotated[
        str, Field(description="what providers call, and what their signatures are checked against")
    ] = ""
    admin_key: Annotated[
        SecretStr | None,
        Field(min_length=32, description="an admin API key that exists from the first start"),
    ] = None
    master_key: Annotated[
        SecretStr | None, Field(description="32 bytes as hex or base64; without it a file in the data folder")
    ] = None
    timezone: Annotated[str, Field(description="in which times are printed for people")] = "UTC"
    partitions: Annotated[
        int, Field(ge=1, le=64, description="of the ingress log; fixed at the first start")
    ] = 4
    web_threads: Annotated[int, Field(ge=4, le=1024, description="requests and streams served at once")] = 264
    send_threads: Annotated[int, Field(ge=1, le=256, description="sends to providers under way at once")] = 16
    agent_grace_seconds: Annotated[
        int, Field(ge=5, le=3600, description="after its last desk went away an agent keeps the work so long")
    ] = 60
    ingress_days: Annotated[
        int, Field(ge=1, le=365, description="so long raw facts and their keys are kept")
    ] = 7
    database_url: Annotated[
        SecretStr | None,
        Field(description="postgresql://…: with PARLEY_KAFKA, the cluster instead of files in one folder"),
    ] = None
    database_connections: Annotated[
        int, Field(ge=2, le=200, description="to PostgreSQL at once, for events and for views each")
    ] = 10
    kafka: Annotated[str, Field(description="brokers of the cluster, as host:port with commas between")] = ""
    kafka_security: Annotated[Security, Field(description="how brokers are spoken to")] = "PLAINTEXT"
    kafka_ca_file: Annotated[
        Path | None, Field(description="certificates that brokers' are checked by; else the system's")
    ] = None
    kafka_cert_file: Annotated[Path | None, Field(description="our certificate, for brokers that ask")] = None
    kafka_key_file: Annotated[Path | None, Field(description="its key")] = None
    kafka_mechanism: Annotated[Mechanism, Field(description="of SASL")] = "SCRAM-SHA-512"
    kafka_user: Annotated[str, Field(description="of SASL")] = ""
    kafka_password: Annotated[SecretStr, Field(description="of SASL")] = SecretStr("")
    kafka_replication: Annotated[
        int, Field(ge=1, le=9, description="copies that `parley topics` has brokers keep")
    ] = 3
    events_partitions: Annotated[
        int, Field(ge=1, le=256, description="of the events topic; fixed when it is made")
    ] = 8
    namespace: Annotated[
        str,
        Field(
            pattern="^[a-z][a-z0-9_]{0,30}$",
            description="of topics and schemas, where several share a Kafka and a PostgreSQL",
        ),
    ] = "parley"
    spool_mebibytes: Annotated[
        int, Field(ge=1, le=100_000, description="kept on this disk while Kafka is away")
    ] = 1024
    log_level: Annotated[str, Field(pattern="^(DEBUG|INFO|WARNING|ERROR)$")] = "INFO"

    @field_validator("public_url")
    @classmethod
    def _is_base_url(cls, value: str) -> str:
        if value:
            parts = urlsplit(value)
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
                raise ValueError("must be like https://sms.example.com")
        return value.rstrip("/")

    @field_validator("database_url")
    @classmethod
    def _is_database_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parts = urlsplit(value.get_secret_value())
            if parts.scheme not in ("postgresql", "postgres") or not parts.path.strip("/"):
                raise ValueError("must be like postgresql://user:password@host:5432/database")
        return value

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError("must be an IANA time zone such as Europe/London") from error
        return value

    @field_validator("master_key")
    @classmethod
    def _is_master_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            MasterKey.from_text(value.get_secret_value())
        return value

    @model_validator(mode="after")
    def _is_one_shape(self) -> Self:
        if bool(self.database_url) != bool(self.kafka):
            raise ValueError("PARLEY_DATABASE_URL and PARLEY_KAFKA go together: set both, or neither")
        if self.is_cluster and self.master_key is None:
            raise ValueError("PARLEY_MASTER_KEY is needed in the cluster: every process must have the same")
        return self

    @property
    def is_cluster(self) -> bool:
        """Whether Kafka and PostgreSQL are used, rather than SQLite files."""
        return self.database_url is not None

    @property
    def agent_grace(self) -> timedelta:
        """After its last desk went away an agent keeps the work so long."""
        return timedelta(seconds=self.agent_grace_seconds)

    @property
    def streams(self) -> int:
        """Most desk streams at once: they share the web threads with requests, which keep 32."""
        return max(1, self.web_threads - 32)


def load_settings() -> Settings:
    """The settings of this process. Raises SettingsError, naming the variable."""
    try:
        settings = Settings()
    except ValidationError as error:
        lines = [_problem(each["loc"], each["msg"]) for each in error.errors()]
        raise SettingsError("\n".join(lines)) from None
    known = {f"PARLEY_{name.upper()}" for name in Settings.model_fields}
    unknown = sorted(name for name in os.environ if name.startswith("PARLEY_") and name not in known)
    if unknown:
        raise SettingsError(
            f"{', '.join(unknown)}: there is no such setting; there are {', '.join(sorted(known))}"
        )
    return settings


def _problem(location: tuple[int | str, ...], message: str) -> str:
    message = message.removeprefix("Value error, ")
    return f"PARLEY_{str(location[0]).upper()}: {message}" if location else message
