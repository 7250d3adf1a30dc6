"""Pictures and files: uploading, seeing those of a conversation, and the providers' links."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from flask_openapi3.openapi import OpenAPI
from werkzeug.test import TestResponse

from api.media import LARGEST_MEDIA
from domain.commands import Actor
from domain.facts import MediaLink
from domain.media_links import LINK_TIME
from tests.api.conftest import Caller, fields_of
from tests.api.scene import CUSTOMER, OURS, PNG, Person, Scene
from tests.fakes.platform import Platform

PICTURE = (MediaLink("https://media.example.com/1", "image/png"),)


@pytest.fixture
def scene(platform: Platform, app: OpenAPI, admin: Caller) -> Scene:
    return Scene(platform, app, admin)


def upload(person: Person, query: str, content: bytes = PNG, content_type: str = "image/png") -> TestResponse:
    return person.client.post(
        f"/api/v1/media?{query}",
        data=content,
        content_type=content_type,
        headers={"X-CSRFToken": person.csrf},
    )


def uploaded(person: Person, query: str, **what: Any) -> str:
    answer = upload(person, query, **what)
    assert answer.status_code == 201, answer.text
    assert answer.json is not None
    return str(answer.json["media_id"])


def test_a_picture_is_uploaded_sent_and_seen(scene: Scene) -> None:
    conversation_id = scene.in_hand("ana")
    media_id = uploaded(scene.ana, f"conversation_id={conversation_id}")
    path = f"/conversations/{conversation_id}/messages"
    sent = scene.ana.post(path, {"media_ids": [media_id]}, Idempotency_Key="k1").json
    assert sent
    assert [each["content_type"] for each in sent["media"]] == [""]  # the view knows types of inbound ones
    seen = scene.ana.get(sent["media"][0]["url"])
    assert (seen.status_code, seen.data, seen.mimetype) == (200, PNG, "image/png")
    assert scene.ben.get(sent["media"][0]["url"]).status_code == 403


def test_a_customers_picture_is_shown_to_those_who_may_read_the_text(scene: Scene) -> None:
    message_id = scene.text("look", media=PICTURE)
    conversation_id = scene.conversation_of(message_id)
    scene.route(conversation_id, "ana")
    waiting = scene.ana.get(f"/messages/{message_id}").json
    assert waiting
    assert waiting["media"][0]["url"] is None
    assert scene.ana.get(f"/messages/{message_id}/media/0").status_code == 404
    scene.fetched(message_id, PNG)
    url = f"/messages/{message_id}/media/0"
    shown = scene.ana.get(url)
    assert shown.data == PNG
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert shown.headers["Content-Disposition"].startswith("inline")
    assert shown.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert scene.analyst.get(url).status_code == 200
    assert scene.ben.get(url).status_code == 403
    assert scene.ana.get(f"/messages/{message_id}/media/1").status_code == 404
    assert fields_of(scene.ana.get(f"/messages/{message_id}/media/-1")) == ["number"]


def test_what_is_no_picture_is_only_to_be_saved(scene: Scene) -> None:
    message_id = scene.text("look", media=PICTURE)
    scene.fetched(message_id, b"BEGIN:VCARD", "text/vcard")
    shown = scene.admin.get(f"/messages/{message_id}/media/0")
    assert shown.headers["Content-Disposition"].startswith("attachment")


def test_the_picture_of_a_forgotten_customer_is_gone(scene: Scene) -> None:
    message_id = scene.text("look", media=PICTURE)
    scene.fetched(message_id, PNG)
    scene.platform.services.catalogue.forget(Actor("root", frozenset({"admin"})), CUSTOMER)
    scene.platform.catch_up()
    assert scene.admin.get(f"/messages/{message_id}/media/0").status_code == 404


@pytest.mark.parametrize(
    ("content", "content_type", "status", "fields"),
    [
        (b"<svg/>", "image/svg+xml", 422, ["Content-Type"]),
        (b"<html>", "text/html", 422, ["Content-Type"]),
        (b"<html>", "image/png", 422, ["Content-Type"]),
        (b"", "image/png", 422, ["body"]),
        (PNG + bytes(LARGEST_MEDIA), "image/png", 413, ["body"]),
    ],
)
def test_what_cannot_be_uploaded(
    scene: Scene, content: bytes, content_type: str, status: int, fields: list[str]
) -> None:
    conversation_id = scene.in_hand("ana")
    answer = upload(scene.ana, f"conversation_id={conversation_id}", content, content_type)
    assert (answer.status_code, fields_of(answer)) == (status, fields)


def test_a_picture_may_be_as_large_as_is_said(scene: Scene) -> None:
    conversation_id = scene.in_hand("ana")
    content = PNG + bytes(LARGEST_MEDIA - len(PNG))
    uploaded(scene.ana, f"conversation_id={conversation_id}", content=content)


def test_an_upload_says_for_whom_it_is(scene: Scene) -> None:
    conversation_id = scene.in_hand("ana")
    assert upload(scene.ben, f"conversation_id={conversation_id}").status_code == 403
    assert upload(scene.analyst, f"conversation_id={conversation_id}").status_code == 403
    assert fields_of(upload(scene.ana, "")) == ["conversation_id"]
    both = f"our_address=%2B{OURS[1:]}&customer="
    uploaded(scene.ana, both + "(415) 555-0124")
    assert fields_of(upload(scene.ana, both + "nobody at all")) == ["customer"]
    assert fields_of(upload(scene.ana, "our_address=99999&customer=1")) == ["our_address"]


# ── links ──────────────────────────────────────────────────────────────────────────────────────


def test_a_provider_fetches_by_a_link_until_it_expires(scene: Scene) -> None:
    media_id = UUID(uploaded(scene.ana, f"conversation_id={scene.in_hand('ana')}"))
    clock = scene.platform.clock
    url = scene.platform.services.links.url(media_id, clock.now())
    parts = urlsplit(url)
    link = f"{parts.path}?{parts.query}"
    provider = scene.app.test_client()
    fetched = provider.get(link)
    assert (fetched.status_code, fetched.data, fetched.mimetype) == (200, PNG, "image/png")
    for wrong in (
        parts.path,
        link[:-1],
        link.replace("expires=1", "expires=2"),
        link.replace("expires=", "expires=x"),
    ):
        assert provider.get(wrong).status_code == 403, wrong
    other = link.replace(str(media_id), str(UUID(int=1)))
    assert provider.get(other).status_code == 403
    clock.move(LINK_TIME + timedelta(seconds=1))
    assert provider.get(link).status_code == 403


def test_a_good_link_to_what_is_gone(scene: Scene) -> None:
    parts = urlsplit(scene.platform.services.links.url(UUID(int=1), scene.platform.clock.now()))
    assert scene.app.test_client().get(f"{parts.path}?{parts.query}").status_code == 404
