"""What exists only in the demo, over the demo's own data: one-click sign-in and the customer's handset."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient

from adapters.providers.simulator import LOST_ANSWER, NOT_DELIVERED
from workers.demo import SALES, SUPPORT, seed
from workers.demo_cast import HANDSETS, PEOPLE
from workers.inline import InlineExecutor, InlineRun, SteppedClock
from workers.settings import Settings
from workers.wiring import Platform

URL = "http://localhost"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InlineRun]:
    """The demo after its past day, stepped by the test."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("demo"))
    seed(settings, URL)
    clock = SteppedClock(datetime.now(UTC))
    platform = Platform(settings, demo=True, public_url=URL, clock=clock, pool=InlineExecutor())
    yield InlineRun(platform, clock)
    platform.close()


@pytest.fixture
def client(demo: InlineRun) -> FlaskClient:
    return demo.platform.app(list).test_client()


def token_of(client: FlaskClient) -> str:
    found = re.search(r'name="csrf-token" content="([^"]+)"', client.get("/").text)
    assert found
    return found.group(1)


def text(client: FlaskClient, words: str, **changes: str) -> Any:
    document = {"id": "0123456789abcdef", "customer": HANDSETS[1], "number": SALES, "text": words, **changes}
    return client.post("/demo/handset/texts", json=document, headers={"X-CSRFToken": token_of(client)})


def handset(client: FlaskClient, customer: str, number: str) -> Any:
    return client.get("/demo/handset", query_string={"customer": customer, "number": number})


# ── one click ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("login", PEOPLE)
def test_one_click_signs_in(client: FlaskClient, login: str) -> None:
    name, roles = PEOPLE[login]
    assert f"Sign in as {name}" in client.get("/").text
    answer = client.post("/demo/sign-in", data={"login": login, "csrf_token": token_of(client)})
    assert (answer.status_code, answer.location) == (303, "/")
    session: Any = client.get("/api/v1/session").json
    assert (session["login"], session["name"], frozenset(session["roles"])) == (login, name, roles)


def test_nobody_else_is_signed_in_so(client: FlaskClient) -> None:
    token = token_of(client)
    assert client.post("/demo/sign-in", data={"login": "root", "csrf_token": token}).status_code == 404
    assert client.post("/demo/sign-in", data={"login": "ana"}).status_code == 403
    assert client.get("/demo/sign-in", query_string={"login": "ana"}).status_code == 405
    assert client.get("/api/v1/session").status_code == 401


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"environ_base": {"REMOTE_ADDR": "10.0.0.9"}},
        {"environ_base": {"REMOTE_ADDR": ""}},
        {"base_url": "https://a-tunnel.example"},
        {"base_url": "http://localhost.evil.example"},
    ],
)
def test_the_demo_is_for_this_machine_only(client: FlaskClient, elsewhere: dict[str, Any]) -> None:
    form = {"login": "ana", "csrf_token": token_of(client)}
    assert client.post("/demo/sign-in", data=form, **elsewhere).status_code == 403
    assert client.get("/demo/handset", **elsewhere).status_code == 403
    assert client.get("/api/v1/session").status_code == 401


@pytest.mark.parametrize("here", ["http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080"])
def test_this_machine_has_several_names(client: FlaskClient, here: str) -> None:
    parties = {"customer": HANDSETS[0], "number": SUPPORT}
    assert client.get("/demo/handset", query_string=parties, base_url=here).status_code == 200


# ── the handset ────────────────────────────────────────────────────────────────────────────────


def test_a_text_from_the_handset_comes_in_once_like_any_webhook(demo: InlineRun, client: FlaskClient) -> None:
    assert text(client, "Do you ship to Norway?").status_code == 204
    assert text(client, "Do you ship to Norway?").status_code == 204
    demo.settle()
    shown = handset(client, HANDSETS[1], SALES).json
    assert [each["text"] for each in shown["texts"]] == ["Do you ship to Norway?"]
    assert shown["happened"][0]["sentence"].startswith("The customer began the conversation")
    client.post("/demo/sign-in", data={"login": "alex", "csrf_token": token_of(client)})
    assert "Do you ship to Norway?" in client.get(f"/conversations/{shown['conversation_id']}").text


def test_a_text_needs_its_token_and_a_handset_and_number_of_the_demo(client: FlaskClient) -> None:
    document = {"id": "0123456789abcdef", "customer": HANDSETS[1], "number": SALES, "text": "hello"}
    assert client.post("/demo/handset/texts", json=document).status_code == 403
    assert text(client, "hello", customer="+12025550999").status_code == 404
    assert text(client, "hello", number="+15005550999").status_code == 404
    refused = text(client, "hello", id="short")
    assert (refused.status_code, refused.json["errors"][0]["field"]) == (422, "id")


@pytest.mark.parametrize("ending", [LOST_ANSWER, NOT_DELIVERED])
def test_the_handset_shows_only_what_arrived(client: FlaskClient, ending: str) -> None:
    """Yesterday one reply got lost on its way to one of them, and the other was switched off."""
    number = SUPPORT if ending == LOST_ANSWER else SALES
    shown = handset(client, f"+1202555{ending}", number).json
    assert shown["conversation_id"]
    assert [each["direction"] for each in shown["texts"] if each["direction"] != "inbound"] == []


def test_the_handset_says_what_special_numbers_do(client: FlaskClient) -> None:
    page = client.get("/").text
    for ending in ("0190", "0191", "0192", "0193", "0194"):
        assert re.search(rf'value="\+1202555{ending}" data-means="[^"]{{20,}}"', page), ending


def test_without_news_the_handset_is_told_so(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.demo.LONGEST_WAIT", 0.0)
    parties = {"customer": HANDSETS[2], "number": SUPPORT}
    first: Any = client.get("/demo/handset", query_string=parties).json
    assert (first["texts"], first["conversation_id"], first["happened"]) == ([], None, [])
    later = client.get("/demo/handset", query_string={**parties, "after": first["position"]})
    assert later.status_code == 204
