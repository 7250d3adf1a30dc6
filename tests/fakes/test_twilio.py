"""The Twilio of our own: its memory, its receipts and its command line."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest
import requests
from twilio.request_validator import RequestValidator

from tests.fakes.twilio import FakeTwilio
from tests.fakes.twilio_state import ACCOUNT_SID, AUTH_TOKEN, NUMBER

CUSTOMER = "+12125550123"
MESSAGES = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"
FORM = {
    "To": CUSTOMER,
    "From": NUMBER,
    "Body": "Hello",
    "StatusCallback": "https://parley.example/s?attempt=1",
}
AUTH = (ACCOUNT_SID, AUTH_TOKEN)


def test_it_forgets_nothing(tmp_path: Path) -> None:
    ledger = tmp_path / "twilio.jsonl"
    with FakeTwilio(ledger, deliver=lambda *_: (200, "")) as fake:
        sid = requests.post(fake.url + MESSAGES, FORM, auth=AUTH, timeout=5).json()["sid"]
        fake.advance(sid, "sent")
    with FakeTwilio(ledger) as again:
        assert [record["sid"] for record in again.accepted] == [sid]
        assert again.messages[sid]["status"] == "sent"
        listed = requests.get(again.url + MESSAGES, {"To": CUSTOMER}, auth=AUTH, timeout=5).json()["messages"]
        assert [each["sid"] for each in listed] == [sid]


def test_what_has_not_been_sent_is_not_listed_by_the_day_it_was_sent(tmp_path: Path) -> None:
    with FakeTwilio(tmp_path / "twilio.jsonl", deliver=lambda *_: (200, "")) as fake:
        sid = fake.accept(FORM)["sid"]
        today = fake.clock().date().isoformat()
        assert fake.listed({"DateSent": today}) == []
        fake.advance(sid, "sent")
        assert len(fake.listed({"DateSent": today})) == 1


def test_receipts_follow_by_themselves_and_are_signed(tmp_path: Path) -> None:
    seen: list[tuple[str, dict[str, str]]] = []
    done = threading.Event()

    def deliver(url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        form = dict(pair.split("=", 1) for pair in requests.compat.unquote_plus(body.decode()).split("&"))
        assert RequestValidator(AUTH_TOKEN).validate(url, form, headers["X-Twilio-Signature"])
        seen.append((url, form))
        if len(seen) == 2:
            done.set()
        return 200, ""

    with FakeTwilio(tmp_path / "twilio.jsonl", receipts=["sent", "delivered"], deliver=deliver) as fake:
        fake.accept(FORM)
        assert done.wait(5)
    assert [(url, form["MessageStatus"]) for url, form in seen] == [
        (FORM["StatusCallback"], "sent"),
        (FORM["StatusCallback"], "delivered"),
    ]


def test_a_text_is_on_the_ledger_before_it_is_sent(tmp_path: Path) -> None:
    def deliver(url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        raise ConnectionRefusedError

    with FakeTwilio(tmp_path / "twilio.jsonl", deliver=deliver) as fake:
        with pytest.raises(ConnectionRefusedError):
            fake.text("https://parley.example/t", CUSTOMER, NUMBER, "Hello")
        assert fake.ledger.entries[-1]["form"]["Body"] == "Hello"


def test_the_command_line(tmp_path: Path) -> None:
    ledger = tmp_path / "twilio.jsonl"
    command = [sys.executable, "-m", "tests.fakes.twilio", f"--ledger={ledger}", "--number=+12125550100"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=root, env=dict(os.environ)
    ) as process:
        assert process.stdout
        url = json.loads(process.stdout.readline())["url"]
        form = FORM | {"From": "+12125550100"}
        assert requests.post(url + MESSAGES, form, auth=AUTH, timeout=5).status_code == 201
        requests.post(f"{url}/_fake/fail", {"fault": "429", "times": 2}, timeout=5)
        statuses = [requests.post(url + MESSAGES, form, auth=AUTH, timeout=5).status_code for _ in range(3)]
        process.kill()
    assert statuses == [429, 429, 201]
    assert len(ledger.read_text("utf-8").splitlines()) == 2
