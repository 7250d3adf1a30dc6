"""Judges the Telnyx of our own by Telnyx's Python client. A program: that client stays out of our packages.

It reads one JSON document and answers with a list of what is wrong. `documents` are answers and webhooks,
each with the name of the client's type for it; `signed` are webhooks as they would be posted.
"""

import importlib
import json
import sys

from pydantic import BaseModel, ValidationError

telnyx = importlib.import_module("telnyx")
verification = importlib.import_module("telnyx.lib.webhook_verification")


def unknown(value: object, place: str) -> list[str]:
    """The fields that the client's types do not have."""
    if isinstance(value, list):
        return [each for index, item in enumerate(value) for each in unknown(item, f"{place}[{index}]")]
    if not isinstance(value, BaseModel):
        return []
    extra = [f"{place}.{name} is unknown" for name in value.model_extra or {}]
    fields = [
        each for name in type(value).model_fields for each in unknown(getattr(value, name), f"{place}.{name}")
    ]
    return extra + fields


def misshapen(kind: str, document: object) -> list[str]:
    """What is wrong with a document that should be of a type, given as module:name."""
    module, _, name = kind.partition(":")
    model = getattr(importlib.import_module(f"telnyx.types.{module}"), name)
    try:
        return unknown(model.model_validate(document), name)
    except ValidationError as error:
        return [f"{name}: {error}"]


def unverified(headers: dict[str, str], body: str, public_key: str) -> list[str]:
    """Why the client would refuse a webhook."""
    try:
        verification.verify_webhook_signature(body, headers, public_key)
    except verification.WebhookVerificationError as error:
        return [str(error)]
    return []


def sent(given: dict[str, str], message: dict[str, object]) -> str:
    """The id of a message that the client itself sends."""
    client = telnyx.Telnyx(api_key=given["api_key"], base_url=f"{given['url']}/v2", max_retries=0)
    answer = client.messages.send(**{"from_" if name == "from" else name: message[name] for name in message})
    return str(answer.data.id)


def main() -> None:
    given = json.load(sys.stdin)
    wrong = [each for kind, document in given["documents"] for each in misshapen(kind, document)]
    wrong += [
        each for headers, body in given["signed"] for each in unverified(headers, body, given["public_key"])
    ]
    json.dump({"wrong": wrong, "sent": sent(given, given["message"])}, sys.stdout)


if __name__ == "__main__":
    main()
