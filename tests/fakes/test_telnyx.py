"""The Telnyx of our own: its memory, its receipts and its command line."""

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.fakes.telnyx import API_KEY, NUMBER, PUBLIC_KEY, FakeTelnyx

CUSTOMER = "+12125550123"
BODY = {
    "to": CUSTOMER,
    "from": NUMBER,
    "text": "Hello",
    "webhook_url": "https://parley.example/status?attempt=1",
}
AUTH = {"Authorization": f"Bearer {API_KEY}"}


def post(url: str, body: Mapping[str, Any] = BODY) -> requests.Response:
    return requests.post(f"{url}/v2/messages", json=body, headers=AUTH, timeout=5)


def test_it_forgets_nothing(tmp_path: Path) -> None:
    ledger = tmp_path / "telnyx.jsonl"
    with FakeTelnyx(ledger, deliver=lambda *_: (200, "")) as fake:
        message_id = post(fake.url).json()["data"]["id"]
        fake.advance(message_id, "sent")
    with FakeTelnyx(ledger) as again:
        assert [record["id"] for record in again.accepted] == [message_id]
        found = requests.get(f"{again.url}/v2/messages/{message_id}", headers=AUTH, timeout=5).json()
        assert found["data"]["to"][0]["status"] == "sent"
        query = {"filter[record_type]": "messaging", "filter[cld]": CUSTOMER}
        records = requests.get(f"{again.url}/v2/detail_records", query, headers=AUTH, timeout=5).json()[
            "data"
        ]
        assert [each["uuid"] for each in records] == [message_id]


def test_receipts_follow_by_themselves_and_are_signed(tmp_path: Path) -> None:
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(PUBLIC_KEY))
    seen: list[tuple[str, str, str]] = []
    done = threading.Event()

    def deliver(url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        signature = base64.b64decode(headers["telnyx-signature-ed25519"])
        key.verify(signature, headers["telnyx-timestamp"].encode() + b"|" + body)
        with pytest.raises(InvalidSignature):
            key.verify(signature, headers["telnyx-timestamp"].encode() + b"|" + body + b" ")
        event = json.loads(body)["data"]
        seen.append((url, event["event_type"], event["payload"]["to"][0]["status"]))
        if len(seen) == 2:
            done.set()
        return 200, ""

    with FakeTelnyx(tmp_path / "telnyx.jsonl", receipts=["sent", "delivered"], deliver=deliver) as fake:
        fake.accept(BODY)
        assert done.wait(5)
    assert seen == [
        (BODY["webhook_url"], "message.sent", "sent"),
        (BODY["webhook_url"], "message.finalized", "delivered"),
    ]


def test_a_text_is_on_the_ledger_before_it_is_sent(tmp_path: Path) -> None:
    def deliver(url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        raise ConnectionRefusedError

    with FakeTelnyx(tmp_path / "telnyx.jsonl", deliver=deliver) as fake:
        with pytest.raises(ConnectionRefusedError):
            fake.text("https://parley.example/t", CUSTOMER, NUMBER, "Hello")
        assert fake.ledger.entries[-1]["event"]["data"]["payload"]["text"] == "Hello"


def test_the_command_line(tmp_path: Path) -> None:
    ledger = tmp_path / "telnyx.jsonl"
    command = [sys.executable, "-m", "tests.fakes.telnyx", f"--ledger={ledger}", "--number=+12125550100"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=root, env=dict(os.environ)
    ) as process:
        assert process.stdout
        said = json.loads(process.stdout.readline())
        body = BODY | {"from": "+12125550100"}
        assert post(said["url"], body).status_code == 200
        requests.post(f"{said['url']}/_fake/fail", {"fault": "429", "times": 2}, timeout=5)
        statuses = [post(said["url"], body).status_code for _ in range(3)]
        process.kill()
    assert said["public_key"] == PUBLIC_KEY
    assert statuses == [429, 429, 200]
    assert len(ledger.read_text("utf-8").splitlines()) == 2
