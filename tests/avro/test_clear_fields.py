"""What stands in events in clear: none of it is a customer's number or text (rule 13)."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from adapters.avro_codec import schema_for
from tests.avro.events import event_classes, mapper
from tests.domain.given import CUSTOMER, OTHER
from tests.fakes.scenario import FIFTH, FOURTH, PIZZA, THIRD, day

CLEAR = {
    "a class of ours": {"*.originator_topic"},
    "configuration: no customer has a part in it": {
        "agent.*", "canned-reply.*", "claim.*", "connection.*", "mapping.*", "queue.*", "work-code.*",
        "conversation.terms.*",
    },
    "one of our own addresses": {
        "conversation.our_address", "long-text.our_address", "message.our_address", "message.lane",
        "thread.our_address",
    },
    "our own address, or the name of its pool": {"consent.scope"},
    "a login": {
        "conversation.agent", "conversation.by", "conversation.preferred_agent", "customer.by",
        "conversation.considered.agent", "message.agent", "message.by", "thread.agent",
    },
    "a code that an admin gave": {"conversation.queue", "conversation.work_code"},
    "a word of a list of ours": {
        "conversation.origin", "conversation.outcome", "long-text.alphabet", "message.disposition",
        "message.keyword", "message.outcome", "message.purpose", "message.resolution", "message.sender",
        "message.status",
    },
    "a sentence of ours, of configuration only": {
        "conversation.considered.verdict", "conversation.reason", "message.reason", "consent.source",
    },
    "the provider's name for its account or a message; opaque": {
        "long-text.scope", "message.scope", "message.provider_message_id",
    },
    "a code or media type of the provider's": {
        "message.error_code", "message.provider_status", "message.media", "message.content_type",
    },
    "the provider's words, masked by domain/masking.py": {"message.detail", "message.problem"},
}  # fmt: skip


def strings(node: Any, path: str) -> Iterator[str]:
    """The places in a schema at which any text may stand."""
    if isinstance(node, list):
        for branch in node:
            yield from strings(branch, path)
    elif node == "string":
        yield path
    elif isinstance(node, dict) and "logicalType" not in node:
        if node["type"] == "record":
            for field in node["fields"]:
                yield from strings(field["type"], f"{path}.{field['name']}")
        elif node["type"] == "map":
            yield f"{path}.{{key}}"
            yield from strings(node["values"], path)
        else:
            yield from strings(node.get("items", node["type"]), path)


def places() -> set[str]:
    """All of them, by aggregate."""
    return {
        place
        for topic in event_classes()
        for place in strings(schema_for(topic), topic.removeprefix("parley.").split(".")[0])
    }


def test_every_text_in_clear_has_a_reason() -> None:
    """Encrypt what is new here, or say why it may be read by whoever has the store."""
    allowed = [pattern for patterns in CLEAR.values() for pattern in patterns]
    assert sorted(each for each in places() if not any(fnmatchcase(each, one) for one in allowed)) == []


def test_every_reason_is_needed() -> None:
    found = places()
    allowed = [pattern for patterns in CLEAR.values() for pattern in patterns]
    assert [one for one in allowed if not any(fnmatchcase(each, one) for each in found)] == []


def test_nothing_of_a_days_customers_is_stored_in_clear() -> None:
    store = day().store
    stored = b"".join(mapper().to_stored_event(each.event).state for each in store.read(0, store.head()))
    customers = [number.removeprefix("+1") for number in (CUSTOMER, OTHER, THIRD, FOURTH, FIFTH)]
    written = [
        "PIZZA?",
        "Anybody?",
        "On its way",
        "Ben here",
        "Hello new number",
        "asked the customer",
        "So many thanks",
        b"So many ".hex(),
        PIZZA,
    ]
    assert [each for each in [*customers, *written] if each.encode() in stored] == []
