"""The topics: made with explicit partitions and retention; refused when they are not as Parley needs them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import TopicAlreadyExistsError, UnknownTopicOrPartitionError

from adapters.kafka.connection import KafkaConnection, kafka_failures, open_client

DAY = 24 * 60 * 60 * 1000  # milliseconds
MARGIN_DAYS = 1
"""Kafka keeps ingress for so much longer than Parley does, which trims it: this is for when it does not."""

LARGEST_RECORD = 2 * 1024 * 1024
"""Bytes of a record at most, with its key and headers: a fact of a mebibyte, sealed, fits well."""

FOR_EVER = -1
ATLEAST = ("retention.ms", "retention.bytes", "max.message.bytes")
EXACTLY = ("cleanup.policy", "message.timestamp.type")


@dataclass(frozen=True)
class TopicPlan:
    """A topic as it should be. `config` has Kafka's own names."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]


@dataclass(frozen=True)
class TopicFound:
    """A topic as it is now; `made` when it has just been made."""

    name: str
    partitions: int
    made: bool


def ingress_topic(namespace: str) -> str:
    """The name of the ingress log's topic."""
    return f"{namespace}.ingress"


def events_topic(namespace: str) -> str:
    """The name of the events' topic."""
    return f"{namespace}.events"


def plans(
    namespace: str, *, ingress_partitions: int, events_partitions: int, replication: int, ingress_days: int
) -> list[TopicPlan]:
    """The topics of one Parley. Ingress is kept for days, events for ever and never compacted."""
    both = {
        "cleanup.policy": "delete",
        "message.timestamp.type": "CreateTime",  # the time is when Parley accepted it
        "min.insync.replicas": str(max(1, replication - 1)),
        "max.message.bytes": str(LARGEST_RECORD),
        "retention.bytes": str(FOR_EVER),
    }
    # Kafka removes whole segments only: by default one goes on for a week.
    ingress = {"retention.ms": str((ingress_days + MARGIN_DAYS) * DAY), "segment.ms": str(DAY)}
    events = {"retention.ms": str(FOR_EVER)}
    return [
        TopicPlan(ingress_topic(namespace), ingress_partitions, replication, both | ingress),
        TopicPlan(events_topic(namespace), events_partitions, replication, both | events),
    ]


def make_topics(connection: KafkaConnection, wanted: Sequence[TopicPlan]) -> list[TopicFound]:
    """Make the topics that are missing, and look at those that are there.

    Raises ValueError, naming the topic and the fix, when one that is there has another number of partitions,
    is compacted, stamps records itself, keeps them for less time or takes only smaller ones; LogUnavailable
    when Kafka cannot be reached or refuses to make one.
    """
    with kafka_failures("topics could not be made"):
        admin = open_client(KafkaAdminClient, connection)
        try:
            return [_make(admin, plan) for plan in wanted]
        finally:
            admin.close()


def _make(admin: Any, plan: TopicPlan) -> TopicFound:
    partitions = _partitions(admin, plan.name)
    made = partitions == 0 and _create(admin, plan)
    if made:
        partitions = plan.partitions
    elif partitions == 0:  # somebody else made it meanwhile
        admin.wait_for_topics([plan.name])
        partitions = _partitions(admin, plan.name)
    if partitions != plan.partitions:
        raise ValueError(
            f"Topic {plan.name} has {partitions} partitions, not {plan.partitions}. A key's partition follows"
            " from their number, which therefore never changes: set it to what the topic has, or choose"
            " another namespace."
        )
    _check_config(plan, _config(admin, plan))
    return TopicFound(plan.name, partitions, made)


def _partitions(admin: Any, name: str) -> int:
    [topic] = admin.describe_topics([name])
    if topic["error_code"] == UnknownTopicOrPartitionError.errno:
        return 0
    return len(topic["partitions"])


def _create(admin: Any, plan: TopicPlan) -> bool:
    wish = {
        "num_partitions": plan.partitions,
        "replication_factor": plan.replication,
        "configs": dict(plan.config),
    }
    try:
        admin.create_topics({plan.name: wish}, wait_for_metadata=True)
    except TopicAlreadyExistsError:
        return False
    return True


def _config(admin: Any, plan: TopicPlan) -> dict[str, str]:
    resource = ConfigResource(ConfigResourceType.TOPIC, plan.name, dict.fromkeys(ATLEAST + EXACTLY))
    found = admin.describe_configs([resource], config_filter="all")["topic"][plan.name]
    return {name: found[name]["value"] for name in ATLEAST + EXACTLY}


def _check_config(plan: TopicPlan, found: Mapping[str, str]) -> None:
    for name in ATLEAST + EXACTLY:
        if name not in plan.config:
            continue
        wanted, value = plan.config[name], found[name]
        if value != wanted and (name in EXACTLY or _unbounded(value) < _unbounded(wanted)):
            raise ValueError(
                f"Topic {plan.name} has {name}={value}, where Parley needs {wanted}. Set it: kafka-configs.sh"
                f" --alter --entity-type topics --entity-name {plan.name} --add-config {name}={wanted}"
            )


def _unbounded(value: str) -> float:
    return float("inf") if int(value) == FOR_EVER else int(value)
