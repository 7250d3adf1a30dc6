"""Telnyx's own Python client, which is made from its OpenAPI description, judges the fake and our requests.

The description itself is in no package. The client runs in a process of its own, being no part of
what Parley imports.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import requests

from adapters.providers.telnyx import TelnyxProvider
from tests.adapters.providers.telnyx_cases import CUSTOMER, WEBHOOK, account, message
from tests.fakes.telnyx import API_KEY, NUMBER, PROFILE, PUBLIC_KEY, FakeTelnyx

JUDGE = Path(__file__).with_name("telnyx_judge.py")

ANSWERS = {
    "detail_records?filter[record_type]=messaging": "detail_record_list_response:MessageDetailRecord",
    "phone_numbers/messaging": "shared.phone_number_with_messaging_settings:PhoneNumberWithMessagingSettings",
    "short_codes": "shared.short_code:ShortCode",
    f"messaging_profiles/{PROFILE}": "messaging_messaging_profile:MessagingMessagingProfile",
}


def judged(
    telnyx: FakeTelnyx,
    documents: Sequence[tuple[str, Any]],
    signed: Sequence[tuple[Mapping[str, str], str]] = (),
    **sent: Any,
) -> dict[str, Any]:
    given = {
        "url": telnyx.url,
        "api_key": API_KEY,
        "public_key": PUBLIC_KEY,
        "documents": documents,
        "signed": signed,
        "message": {"from": NUMBER, "to": CUSTOMER, "text": "Hello"} | sent,
    }
    done = subprocess.run(
        [sys.executable, str(JUDGE)],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_answers_and_webhooks_are_as_telnyx_describes_them(telnyx: FakeTelnyx) -> None:
    telnyx.add_number("12345")
    web = requests.Session()
    web.headers["Authorization"] = f"Bearer {API_KEY}"
    body = {"from": NUMBER, "to": CUSTOMER, "text": "Hello", "webhook_url": f"{WEBHOOK}/status?attempt=1"}
    answer = web.post(f"{telnyx.url}/v2/messages", json=body, timeout=5).json()
    message_id = answer["data"]["id"]
    documents: list[tuple[str, Any]] = [("message_send_response:MessageSendResponse", answer)]
    for path, kind in ANSWERS.items():
        data = web.get(f"{telnyx.url}/v2/{path}", timeout=5).json()["data"]
        documents += [(kind, each) for each in (data if isinstance(data, list) else [data])]
    refused = web.post(f"{telnyx.url}/v2/messages", json=body | {"to": "+12125550004"}, timeout=5).json()
    documents += [("shared.messaging_error:MessagingError", each) for each in refused["errors"]]

    events = [telnyx.text_event(WEBHOOK, CUSTOMER, NUMBER, "Where is it? 😀")]
    documents.append(("inbound_message_webhook_event:InboundMessageWebhookEvent", _unaddressed(events[0])))
    telnyx._deliver = lambda *_: (200, "")
    for status in ("sent", "delivered", "delivery_failed"):
        telnyx.advance(message_id, status, error_code=40008 if status == "delivery_failed" else None)
        events.append(telnyx.receipt_event(message_id, WEBHOOK))
        as_it_was = json.loads(json.dumps(events[-1]))
        documents.append(("delivery_update_webhook_event:DeliveryUpdateWebhookEvent", as_it_was))
    bodies = [json.dumps(each).encode() for each in events]
    signed = [(telnyx.headers(each), each.decode()) for each in bodies]
    assert len(documents) == 10
    assert judged(telnyx, documents, signed)["wrong"] == []


def _unaddressed(event: dict[str, Any]) -> dict[str, Any]:
    """Without `meta`: of an inbound message's it is on Telnyx's page, and not in its description."""
    return {name: value for name, value in event.items() if name != "meta"}


def test_the_judge_would_notice(telnyx: FakeTelnyx) -> None:
    event = telnyx.text_event(WEBHOOK, CUSTOMER, NUMBER, "Hello", direction="sideways", brand_new=1)
    kind = "inbound_message_webhook_event:InboundMessageWebhookEvent"
    extra = _unaddressed(telnyx.text_event(WEBHOOK, CUSTOMER, NUMBER, "Hello", brand_new=1))
    headers = telnyx.headers(b"another body")
    documents = [(kind, _unaddressed(event)), (kind, extra)]
    wrong = judged(telnyx, documents, [(headers, "this body")])["wrong"]
    assert len(wrong) == 3
    assert "sideways" in wrong[0]
    assert "brand_new is unknown" in wrong[1]
    assert "Signature verification failed" in wrong[2]


def test_telnyxs_client_and_ours_ask_alike(telnyx: FakeTelnyx) -> None:
    provider = TelnyxProvider(timeout=(5.0, 5.0))
    carrier = provider.open(account(telnyx.url, options={"messaging_profile": PROFILE}))
    text = message(media_urls=("https://example.com/1.png",))
    carrier.send(text)
    carrier.close()
    theirs = judged(
        telnyx,
        [],
        text=text.text,
        media_urls=list(text.media_urls),
        messaging_profile_id=PROFILE,
        webhook_url=f"{WEBHOOK}/status?attempt={text.message_id.hex}.1",
    )
    mine, other = telnyx.asked
    assert mine == other
    assert telnyx.messages[theirs["sent"]]["text"] == text.text
