"""Pages as the server makes them: who gets which, forms and their tokens, texts that are only ever text."""

import re
from pathlib import Path
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from werkzeug.test import TestResponse

import api
from adapters.accounts import Role
from api.auth import declared_roles
from api.page_parts import local_path
from tests.api.conftest import Caller
from tests.api.scene import PASSWORD, Scene
from tests.fakes.platform import Platform

TEMPLATES = Path(api.__file__).parent / "templates"
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)> {{ 7 * 7 }} \u202egnp.exe"


@pytest.fixture
def scene(platform: Platform, app: OpenAPI, admin: Caller) -> Scene:
    return Scene(platform, app, admin)


def token_of(page: TestResponse) -> str:
    found = re.search(r'name="csrf-token" content="([^"]+)"', page.text)
    assert found
    return found.group(1)


def sign_in(client: FlaskClient, login: str = "ana", password: str = PASSWORD, **more: str) -> TestResponse:
    token = token_of(client.get("/signin"))
    form = {"login": login, "password": password, "csrf_token": token, **more}
    return client.post("/signin", data=form)


# ── who gets which ─────────────────────────────────────────────────────────────────────────────


def test_the_start_leads_everybody_to_their_work(scene: Scene) -> None:
    assert scene.app.test_client().get("/").location == "/signin"
    assert scene.ana.client.get("/").location == "/desk"
    assert scene.analyst.client.get("/").location == "/conversations"


def test_somebody_who_has_not_signed_in_comes_back_to_what_was_wanted(scene: Scene) -> None:
    client = scene.app.test_client()
    wanted = f"/conversations/{UUID(int=1)}"
    assert client.get(wanted).location == f"/signin?next={wanted}"
    assert f'name="next" value="{wanted}"' in client.get(f"/signin?next={wanted}").text
    assert sign_in(client, next=wanted).location == wanted


def test_a_wrong_password_keeps_what_was_typed(scene: Scene) -> None:
    client = scene.app.test_client()
    answer = sign_in(client, 'ana"><b>', "wrong")
    assert answer.status_code == 401
    assert 'value="ana&#34;&gt;&lt;b&gt;"' in answer.text
    assert "Login or password is wrong" in answer.text
    assert client.get("/desk").location.startswith("/signin")


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example", "//evil.example", "/\\evil.example", "desk", "", "/a\nb", "javascript:x"],
)
def test_signing_in_leads_nowhere_else(elsewhere: str) -> None:
    assert local_path(elsewhere) == "/"


def test_the_desk_is_for_agents(scene: Scene) -> None:
    desk = scene.ana.client.get("/desk")
    assert (desk.status_code, desk.mimetype) == (200, "text/html")
    refused = scene.analyst.client.get("/desk")
    assert (refused.status_code, refused.mimetype) == (403, "text/html")
    assert "This needs the role agent" in refused.text


def test_a_replay_is_for_those_who_may_see_the_conversation(scene: Scene) -> None:
    path = f"/conversations/{scene.in_hand('ana', 'Where is my parcel?')}"
    for person in (scene.ana, scene.analyst):
        shown = person.client.get(path)
        assert shown.status_code == 200
        assert "Where is my parcel?" in shown.text
        assert "TW-SUPPORT, version 1" in shown.text
    assert scene.ben.client.get(path).status_code == 403
    assert "parcel" not in scene.ben.client.get(path).text
    assert scene.analyst.client.get(f"/conversations/{UUID(int=1)}").status_code == 404


def test_the_list_has_an_agents_own_conversations_and_everybodys_for_analysts(scene: Scene) -> None:
    path = f"/conversations/{scene.in_hand('ana')}"
    pages = [each.client.get("/conversations").text for each in (scene.ana, scene.ben, scene.analyst)]
    assert [path in page for page in pages] == [True, False, True]


# ── forms ──────────────────────────────────────────────────────────────────────────────────────


def test_no_form_is_taken_without_its_token(scene: Scene) -> None:
    client = scene.app.test_client()
    form = {"login": "ana", "password": PASSWORD}
    assert client.post("/signin", data=form).status_code == 403
    assert client.post("/signin", data={**form, "csrf_token": "forged"}).status_code == 403
    assert client.get("/desk").status_code == 303
    assert scene.ana.client.post("/signout").status_code == 403
    assert scene.ana.client.get("/desk").status_code == 200


def test_signing_out_ends_the_session(scene: Scene) -> None:
    client = scene.ana.client
    token = token_of(client.get("/desk"))
    assert client.post("/signout", data={"csrf_token": token}).location == "/"
    assert client.get("/desk").location.startswith("/signin")


# ── only ever text ─────────────────────────────────────────────────────────────────────────────


def test_a_hostile_text_is_shown_as_text(scene: Scene) -> None:
    conversation_id = scene.in_hand("ana", HOSTILE)
    shown = scene.analyst.client.get(f"/conversations/{conversation_id}").text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert "<script>alert" not in shown
    assert "<img" not in shown
    assert "{{ 7 * 7 }}" in shown


def test_pages_run_no_scripts_but_our_own(scene: Scene) -> None:
    for path in ("/signin", "/desk", "/conversations"):
        policy = scene.ana.client.get(path).headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy


def test_no_template_has_scripts_or_styles_inline() -> None:
    templates = list(TEMPLATES.glob("*.html"))
    assert len(templates) > 8
    for template in templates:
        text = template.read_text()
        assert not re.search(
            r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:|\|\s*safe", text
        ), template
        assert not re.search(r"(src|href)=.https?:", text), template


def test_no_script_makes_markup_of_text() -> None:
    scripts = list((TEMPLATES.parent / "static").glob("*.js"))
    assert len(scripts) > 8
    for script in scripts:
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", script.read_text()
        )


def test_everything_a_page_asks_for_is_there(scene: Scene) -> None:
    page = scene.ana.client.get("/desk").text
    files = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page))
    scripts = (TEMPLATES.parent / "static").glob("*.js")
    files |= {
        f"/static/{name}" for each in scripts for name in re.findall(r'from "\./([^"]+)"', each.read_text())
    }
    assert len(files) > 8
    for file in files:
        with scene.ana.client.get(file) as answer:
            assert answer.status_code == 200, file


# ── without the demo ───────────────────────────────────────────────────────────────────────────


def test_without_the_demo_nothing_of_it_is_there(scene: Scene) -> None:
    client = scene.app.test_client()
    token = token_of(client.get("/signin"))
    for method, path in (
        ("POST", "/demo/sign-in"),
        ("GET", "/demo/handset"),
        ("POST", "/demo/handset/texts"),
    ):
        answer = client.open(path, method=method, data={"login": "ana", "csrf_token": token})
        assert answer.status_code == 404, path
    assert "Sign in as" not in client.get("/signin").text
    assert not [rule for rule in scene.app.url_map.iter_rules() if "demo" in rule.rule]


def test_roles_of_the_pages(app: OpenAPI) -> None:
    """Every page there is; a new one is to be listed here with who may see it."""
    everybody = frozenset(Role)
    nobody: frozenset[Role] = frozenset()
    found = {
        rule.endpoint: declared_roles(app.view_functions[rule.endpoint])
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("pages.")
    }
    assert found == {
        "pages.start": nobody,
        "pages.sign_in_page": nobody,
        "pages.sign_in_with_password": nobody,
        "pages.sign_out": everybody,
        "pages.desk": {Role.AGENT},
        "pages.conversations": everybody,
        "pages.conversation": everybody,
    }
