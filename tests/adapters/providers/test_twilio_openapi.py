"""Twilio's own description of its API, between the real client and the fake.

Prism stands in between and answers 500 to whatever Twilio's published OpenAPI description does not allow: a
request of ours, or an answer of the fake's. Both come by npm, at these versions, into a cache folder.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from adapters.providers.twilio import TwilioProvider
from domain.providers import Misconfigured, OptedOut, Rejected
from tests.adapters.providers.twilio_cases import CUSTOMER, SERVICE, account, message
from tests.fakes.twilio import FakeTwilio
from tests.fakes.twilio_state import NUMBER

PACKAGES = ("@stoplight/prism-cli@5.16.0", "@twilio/cli-core@8.3.2")
CACHE = Path(__file__).parents[3] / ".cache" / "prism-5.16.0"
MODULES = CACHE / "node_modules"
PRISM = MODULES / "@stoplight" / "prism-cli" / "dist" / "index.js"
DESCRIPTION = MODULES / "@twilio" / "cli-core" / "src" / "services" / "twilio-api" / "twilio_api_v2010.json"
LISTENING = re.compile(r"Prism is listening on (http://127\.0\.0\.1:\d+)")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
PAGE_URIS = ("uri", "first_page_uri", "next_page_uri", "previous_page_uri")
LONGEST_START = 60  # seconds
LONGEST_INSTALL = 240


@pytest.fixture(scope="module")
def node() -> str:
    """Node, with Prism and the description installed."""
    found, npm = shutil.which("node"), shutil.which("npm")
    if not found or not npm:
        pytest.skip("there is no npm here: Twilio's OpenAPI description is not checked")
    if not (CACHE / "complete").exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        options = [
            "--no-package-lock",
            "--no-save",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--loglevel=error",
            # In milliseconds; by default npm waits five minutes for a stuck connection, one for the next try.
            "--fetch-timeout=20000",
            "--fetch-retries=3",
            "--fetch-retry-mintimeout=1000",
            "--fetch-retry-maxtimeout=5000",
        ]
        problem = _install([npm, "install", f"--prefix={CACHE}", *options, *PACKAGES])
        if problem:
            pytest.skip(
                f"npm could not install Prism: Twilio's OpenAPI description is not checked ({problem})"
            )
        (CACHE / "complete").touch()
    return found


def _install(command: list[str]) -> str:
    """Why npm could not; empty when it could."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_INSTALL, check=False)
    except subprocess.TimeoutExpired:
        return f"it took longer than {LONGEST_INSTALL} seconds"
    if done.returncode == 0:
        return ""
    return (done.stderr.strip().splitlines() or ["no reason given"])[-1]


@pytest.fixture
def description(node: str, tmp_path: Path) -> Path:
    """Twilio's description, with what its own examples take for granted.

    It has the URIs of list pages as `uri`, which needs a scheme; its examples, like Twilio itself, give
    references relative to the host (RFC 3986, section 4.2). And Prism wants OpenAPI's default for lists in
    forms, a field for each item, to be spelt out.
    """

    def complete(node: dict[str, Any]) -> dict[str, Any]:
        for name in PAGE_URIS:
            if isinstance(node.get(name), dict) and node[name].get("format") == "uri":
                node[name]["format"] = "uri-reference"
        if form := node.get("application/x-www-form-urlencoded"):
            fields = form["schema"].get("properties", {})
            lists = [name for name, field in fields.items() if field.get("type") == "array"]
            form["encoding"] = {name: {"style": "form", "explode": True} for name in lists}
        return node

    text = json.dumps(json.loads(DESCRIPTION.read_text("utf-8"), object_hook=complete))
    path = tmp_path / "twilio.json"
    path.write_text(text, "utf-8")
    return path


@contextmanager
def prism(node: str, description: Path, upstream: str) -> Iterator[tuple[str, list[str]]]:
    """Prism in front of a server: its URL, and what it says (complete when it has ended)."""
    command = [
        node,
        str(PRISM),
        "proxy",
        "-h",
        "127.0.0.1",
        "-p",
        "0",
        "--errors",
        str(description),
        upstream,
    ]
    environment = {"PATH": os.environ["PATH"], "NO_COLOR": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        assert process.stdout
        too_late = Timer(LONGEST_START, process.kill)
        too_late.start()
        heard: list[str] = []
        try:
            for line in process.stdout:
                heard.append(COLOUR.sub("", line).rstrip())
                if ready := LISTENING.search(heard[-1]):
                    break
            else:
                raise AssertionError("Prism did not start:\n" + "\n".join(heard))
            too_late.cancel()
            heard.clear()
            yield ready[1], heard
        finally:
            too_late.cancel()
            process.terminate()
            heard.extend(COLOUR.sub("", line).rstrip() for line in process.stdout)


def test_the_client_and_the_fake_agree_with_twilios_description(
    node: str, description: Path, fake: FakeTwilio
) -> None:
    fake.services[SERVICE] = {NUMBER}
    provider = TwilioProvider(timeout=(5.0, 30.0))
    with prism(node, description, fake.url) as (url, heard):
        carrier = provider.open(account(url))
        assert carrier.check() == []
        began, sent = datetime.now(UTC), message(valid_for=600)
        handover = carrier.send(sent)
        carrier.send(message(text="", media_urls=("https://example.com/1.png", "https://example.com/2.png")))
        assert carrier.find(sent, began) == [handover]
        for status in ("sent", "delivered"):
            fake.messages[handover.provider_message_id]["callback"] = None
            fake.advance(handover.provider_message_id, status)
            assert carrier.find(sent, began) == [handover]
        for to, expected in (("+15005550001", Rejected), ("+15005550004", OptedOut)):
            with pytest.raises(expected):
                carrier.send(message(customer_address=to))
        by_service = provider.open(account(url, options={"messaging_service": SERVICE}))
        by_service.send(message(text="by the service"))
        assert len(by_service.find(message(text="by the service"), began)) == 1
        wrong = provider.open(account(url, password="wrong"))
        with pytest.raises(Misconfigured):
            wrong.send(message())
        for opened in (carrier, by_service, wrong):
            opened.close()
    assert len(fake.accepted) == 3
    violations = [line for line in heard if "Violation" in line]
    # The description has no refusals at all: an answer other than 2xx is only remarked upon.
    assert [line for line in violations if "Unable to match the returned status code" not in line] == []
    assert len(violations) == 3


@pytest.mark.parametrize("change", [{"status": "teleported"}, {"sid": "SM1"}])
def test_prism_would_notice(change: dict[str, str], node: str, description: Path, fake: FakeTwilio) -> None:
    provider = TwilioProvider(timeout=(5.0, 30.0))
    sid = fake.accept({"To": CUSTOMER, "From": NUMBER, "Body": "Hello"})["sid"]
    fake.messages[sid] |= change
    with prism(node, description, fake.url) as (url, _):
        carrier = provider.open(account(url))
        with pytest.raises(Exception, match="HTTP 500"):
            carrier.find(replace(message(), text="Hello"), datetime.now(UTC))
        carrier.close()
