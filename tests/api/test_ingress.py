"""Webhooks: signed over what was really sent; durable before the answer; nothing kept of a bad one."""

from dataclasses import replace
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode

import pytest
from flask_openapi3.openapi import OpenAPI
from werkzeug.test import TestResponse

from api.services import EXTENSION
from domain.errors import LogUnavailable, StoreUnavailable
from domain.facts import ReceiptReceived, TextReceived
from tests.api.conftest import TWILIO, Caller, fields_of, rest_mapping
from tests.fakes.platform import PUBLIC_URL, Platform
from tests.fakes.twilio import sign
from workers.webserver import WebServer

HOOK = "/ingress/rest/TW-SUPPORT"
TEXT = {
    "MessageSid": "SM" + "1" * 32,
    "AccountSid": TWILIO["user_name"],
    "From": "+15005551234",
    "To": "+15005550006",
    "Body": "Hello, é & 100% + more",
    "NumMedia": "0",
    "ToCity": "",
}
RECEIPT = {
    "MessageSid": "SM" + "2" * 32,
    "MessageStatus": "delivered",
    "AccountSid": TWILIO["user_name"],
    "From": "+15005550006",
    "To": "+15005551234",
}


@pytest.fixture(autouse=True)
def mapping(admin: Caller) -> None:
    admin.post("/queues", {"code": "SUPPORT", "name": "Support"})
    assert admin.post("/mappings", rest_mapping()).status_code == 201


def facts(platform: Platform) -> list[Any]:
    ingress = platform.services.ingress
    return [each.fact for part in range(ingress.partitions) for each in ingress.read(part, -1, 100)]


def deliver(admin: Caller, target: str, form: dict[str, str], **changes: Any) -> TestResponse:
    """What a provider would send, signed over `target`, the raw path and query."""
    signature = sign(PUBLIC_URL + changes.get("signed", target), form, TWILIO["password"])
    body = changes.get("body", urlencode(form).encode())
    return admin.client.post(
        target,
        data=body,
        content_type=changes.get("kind", "application/x-www-form-urlencoded"),
        headers={"X-Twilio-Signature": changes.get("signature", signature)} | changes.get("headers", {}),
        environ_overrides={"REQUEST_URI": changes.get("uri", target)},
    )


def test_a_text_is_durable_when_it_is_answered(admin: Caller) -> None:
    answer = deliver(admin, HOOK, TEXT)
    assert (answer.status_code, answer.mimetype) == (200, "text/xml")
    assert answer.text.endswith("<Response />")
    (fact,) = facts(admin.platform)
    assert isinstance(fact, TextReceived)
    assert (fact.text, fact.customer_address) == (TEXT["Body"], TEXT["From"])


def test_while_the_store_is_away_texts_are_taken_in_all_the_same(
    admin: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert deliver(admin, HOOK, TEXT).status_code == 200

    def away(*_: object) -> None:
        raise StoreUnavailable("PostgreSQL is away")

    monkeypatch.setattr(admin.platform.store, "load", away)
    assert deliver(admin, HOOK, TEXT | {"MessageSid": "SM" + "3" * 32}).status_code == 200
    assert len(facts(admin.platform)) == 2
    assert deliver(admin, HOOK, TEXT, signature="AAAA").status_code == 403
    refused = deliver(admin, "/ingress/rest/NEVER-USED", TEXT)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")


def test_a_receipt(admin: Caller) -> None:
    target = f"{HOOK}/status?attempt={'a' * 32}.1"
    assert deliver(admin, target, RECEIPT).status_code == 200
    (fact,) = facts(admin.platform)
    assert isinstance(fact, ReceiptReceived)
    assert fact.attempt == 1


@pytest.mark.parametrize(
    "target", [f"{HOOK}?note=a%20b%2Fc%3f", f"{HOOK}?note=a+b&x=%C3%A9&empty=", "/ingress/rest/%54W-SUPPORT"]
)
def test_the_signature_holds_over_the_address_as_it_came(admin: Caller, target: str) -> None:
    assert deliver(admin, target, TEXT).status_code == 200


def test_the_absolute_form_of_the_address(admin: Caller) -> None:
    answer = deliver(admin, f"{HOOK}?a=1", TEXT, uri=f"http://10.0.0.1:8080{HOOK}?a=1")
    assert answer.status_code == 200


def test_proxy_headers_are_not_believed(admin: Caller) -> None:
    forged = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
    assert deliver(admin, HOOK, TEXT, headers=forged).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"signature": "AAAA"},
        {"signature": ""},
        {"signed": "/ingress/rest/OTHER"},
        {"signed": f"{HOOK}?more=1"},
        {"body": urlencode(TEXT | {"Body": "altered"}).encode()},
    ],
)
def test_a_bad_signature(admin: Caller, changes: dict[str, Any]) -> None:
    answer = deliver(admin, HOOK, TEXT, **changes)
    assert answer.status_code == 403
    assert answer.mimetype == "application/problem+json"
    assert facts(admin.platform) == []


@pytest.mark.parametrize("target", ["/ingress/rest/NONE", "/ingress/rest/NONE/status", "/ingress/rest/x%00"])
def test_an_unknown_mapping(admin: Caller, target: str) -> None:
    answer = deliver(admin, target, TEXT)
    assert answer.status_code == 404
    assert fields_of(answer) == []
    assert facts(admin.platform) == []


def without(name: str) -> dict[str, str]:
    return {key: value for key, value in TEXT.items() if key != name}


BAD: list[tuple[dict[str, str], dict[str, Any], str]] = [
    (TEXT, {"body": b"Body=a&&=&;%"}, "form"),
    (TEXT, {"body": b"\xff\xfe"}, "form"),
    (TEXT, {"body": b"Body=%ff%fe"}, "Body"),
    (TEXT, {"kind": "application/json"}, "Content-Type"),
    (without("From"), {}, "From"),
    (TEXT | {"To": "whatsapp:+15005550006"}, {}, "To"),
    (TEXT | {"MessageSid": "XX"}, {}, "MessageSid"),
    (TEXT | {"AccountSid": "AC" + "9" * 32}, {}, "AccountSid"),
    (TEXT | {"NumMedia": "many"}, {}, "NumMedia"),
]


@pytest.mark.parametrize(("form", "changes", "field"), BAD, ids=[f"{field} {c}"[:40] for _, c, field in BAD])
def test_an_unreadable_text(admin: Caller, form: dict[str, str], changes: dict[str, Any], field: str) -> None:
    answer = deliver(admin, HOOK, form, **changes)
    assert (answer.status_code, fields_of(answer)) == (400, [field])
    assert facts(admin.platform) == []


def test_a_megabyte(admin: Caller) -> None:
    form = TEXT | {"Body": "x" * 1024 * 1024}
    answer = deliver(admin, HOOK, form)
    assert answer.status_code == 413
    assert answer.mimetype == "application/problem+json"
    assert facts(admin.platform) == []


def test_a_log_that_cannot_promise(app: OpenAPI, admin: Caller) -> None:
    class Full:
        def accept(self, facts: Any) -> None:
            raise LogUnavailable("the disk is full")

    app.extensions[EXTENSION] = replace(admin.platform.services, ingress=Full())  # type: ignore[arg-type]
    answer = deliver(admin, HOOK, TEXT)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert "disk" not in answer.text


def test_a_deleted_mapping_still_takes_receipts(admin: Caller) -> None:
    assert admin.delete("/mappings/TW-SUPPORT", If_Match="*").status_code == 204
    assert deliver(admin, f"{HOOK}/status", RECEIPT).status_code == 200
    assert len(facts(admin.platform)) == 1


def test_a_draft_without_credentials_takes_nothing(admin: Caller) -> None:
    admin.post("/mappings", {"kind": "rest", "code": "DRAFT", "provider": "twilio"})
    assert deliver(admin, "/ingress/rest/DRAFT", TEXT).status_code == 404
    admin.post("/mappings", {"kind": "smpp", "code": "SMSC"})
    assert deliver(admin, "/ingress/rest/SMSC", TEXT).status_code == 404


def test_a_get_is_not_for_webhooks(admin: Caller) -> None:
    assert admin.client.get(HOOK).status_code == 405


@pytest.mark.parametrize(
    "target",
    [f"{HOOK}?note=a%20b%2Fc%3f&x=%C3%A9", f"http://10.0.0.1{HOOK}?a=1", "/ingress/rest/%54W-SUPPORT"],
    ids=["origin form", "absolute form", "an encoded letter"],
)
def test_the_web_server_keeps_the_address_as_it_came(app: OpenAPI, admin: Caller, target: str) -> None:
    server = WebServer(app, "127.0.0.1", 0, 2)
    server.start()
    try:
        signed = PUBLIC_URL + target.removeprefix("http://10.0.0.1")
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Twilio-Signature": sign(signed, TEXT, TWILIO["password"]),
        }
        connection = HTTPConnection(server.url.removeprefix("http://"), timeout=10)
        connection.request("POST", target, urlencode(TEXT), headers)
        assert connection.getresponse().status == 200
        connection.close()
    finally:
        server.stop()
    assert len(facts(admin.platform)) == 1
