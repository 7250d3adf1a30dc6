"""Topics: made as planned, and refused when they are otherwise."""

from dataclasses import replace

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from adapters.kafka.connection import KafkaConnection
from adapters.kafka.topics import TopicPlan, make_topics, plans
from domain.errors import LogUnavailable


@pytest.fixture
def planned(topic_prefix: str) -> list[TopicPlan]:
    return plans(topic_prefix, ingress_partitions=3, events_partitions=5, replication=1, ingress_days=7)


def test_ingress_is_kept_for_days_and_events_for_ever(planned: list[TopicPlan]) -> None:
    ingress, events = planned
    assert (ingress.config["retention.ms"], events.config["retention.ms"]) == ("691200000", "-1")
    assert ingress.config["cleanup.policy"] == events.config["cleanup.policy"] == "delete"
    assert events.config["retention.bytes"] == "-1"


@pytest.mark.parametrize(("replication", "in_sync"), [(1, "1"), (2, "1"), (3, "2")])
def test_one_replica_may_be_away(replication: int, in_sync: str) -> None:
    found = plans("p", ingress_partitions=1, events_partitions=1, replication=replication, ingress_days=1)
    assert {plan.config["min.insync.replicas"] for plan in found} == {in_sync}


def test_topics_are_made_once(connection: KafkaConnection, planned: list[TopicPlan]) -> None:
    made = make_topics(connection, planned)
    assert [(each.name, each.partitions, each.made) for each in made] == [
        (planned[0].name, 3, True),
        (planned[1].name, 5, True),
    ]
    assert [each.made for each in make_topics(connection, planned)] == [False, False]
    admin = KafkaAdminClient(bootstrap_servers=connection.bootstrap)
    resources = [ConfigResource(ConfigResourceType.TOPIC, plan.name, dict(plan.config)) for plan in planned]
    found = admin.describe_configs(resources, config_filter="all")["topic"]
    admin.close()
    for plan in planned:
        assert {name: found[plan.name][name]["value"] for name in plan.config} == plan.config


def test_another_number_of_partitions_is_refused(
    connection: KafkaConnection, planned: list[TopicPlan]
) -> None:
    make_topics(connection, planned)
    with pytest.raises(ValueError, match=rf"{planned[0].name} has 3 partitions, not 4\."):
        make_topics(connection, [replace(planned[0], partitions=4)])


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"cleanup.policy": "compact"}, "has cleanup.policy=compact, where Parley needs delete"),
        ({"retention.ms": "86400000"}, "has retention.ms=86400000, where Parley needs -1"),
        ({"retention.bytes": "1000000"}, "has retention.bytes=1000000, where Parley needs -1"),
        ({"message.timestamp.type": "LogAppendTime"}, "Parley needs CreateTime"),
        ({"max.message.bytes": "1000"}, "Parley needs 2097152"),
    ],
)
def test_what_would_lose_events_is_refused(
    connection: KafkaConnection, planned: list[TopicPlan], config: dict[str, str], complaint: str
) -> None:
    events = planned[1]
    make_topics(connection, [replace(events, config={**events.config, **config})])
    with pytest.raises(ValueError, match=complaint) as refused:
        make_topics(connection, [events])
    [name] = config
    assert f"--entity-name {events.name} --add-config {name}={events.config[name]}" in str(refused.value)


def test_longer_retention_is_fine(connection: KafkaConnection, planned: list[TopicPlan]) -> None:
    ingress = planned[0]
    make_topics(connection, [replace(ingress, config={**ingress.config, "retention.ms": "-1"})])
    assert [each.made for each in make_topics(connection, [ingress])] == [False]


def test_more_replicas_than_brokers_cannot_be_made(
    connection: KafkaConnection, planned: list[TopicPlan]
) -> None:
    with pytest.raises(LogUnavailable, match="InvalidReplicationFactorError"):
        make_topics(connection, [replace(planned[0], replication=3)])
