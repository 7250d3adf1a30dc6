"""Pictures and files: fetched from Twilio when they come in, offered to Twilio when they go out."""

from urllib.parse import urlsplit

import pytest

from adapters.providers.twilio import MEDIA_CAP
from contracts.far_end import Fault
from tests.flows.stage import CUSTOMER, PUBLIC_URL, Agent, Json, Stage

PNG = b"\x89PNG\r\n\x1a\n" + b"picture" * 100
PDF = b"%PDF-1.7 a contract"


def picture(stage: Stage) -> Json:
    """What the desk shows of the one file of the newest text that has any."""
    (found,) = [each["media"] for each in stage.conversation()["messages"] if each["media"]][-1]
    return dict(found)


def content(agent: Agent, url: str) -> bytes:
    answer = agent.ask("GET", url)
    assert answer.status_code == 200
    return answer.get_data()


def test_a_picture_comes_in(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Look at this", media=[stage.twilio.add_media(PNG)])
    found = picture(stage)
    assert (found["content_type"], found["size"], found["problem"]) == ("image/png", len(PNG), "")
    assert content(ana, found["url"]) == PNG


def test_several_come_in_without_a_word(stage: Stage, ana: Agent) -> None:
    files = [stage.twilio.add_media(PNG), stage.twilio.add_media(PDF, "application/pdf")]
    stage.text(CUSTOMER, "", media=files)
    (message,) = [each for each in stage.conversation()["messages"] if each["media"]]
    assert [content(ana, each["url"]) for each in message["media"]] == [PNG, PDF]


def test_twilio_may_redirect_to_where_no_credentials_are_needed(stage: Stage, ana: Agent) -> None:
    stage.twilio.media["/cdn/picture"] = stage.twilio.media.pop(urlsplit(stage.twilio.add_media(PNG)).path)
    url = stage.twilio.add_media(b"", location=f"{stage.twilio.url}/cdn/picture")
    stage.text(CUSTOMER, "Look", media=[url])
    assert content(ana, picture(stage)["url"]) == PNG


def test_what_is_too_large_is_not_kept_and_says_why(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Look", media=[stage.twilio.add_media(PNG + b"\0" * MEDIA_CAP)])
    found = picture(stage)
    assert (found["url"], bool(found["problem"])) == (None, True)
    assert stage.conversation()["state"] == "assigned"


@pytest.mark.parametrize("content_type", ["text/html", "image/svg+xml", "application/javascript"])
def test_what_is_of_a_bad_type_is_not_kept_and_says_why(stage: Stage, ana: Agent, content_type: str) -> None:
    url = stage.twilio.add_media(b"<svg onload='alert(1)'>", content_type)
    stage.text(CUSTOMER, "Look", media=[url])
    found = picture(stage)
    assert (found["url"], bool(found["problem"])) == (None, True)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/2010-04-01/Accounts/AC0/Messages/MM0/Media/ME0",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
    ],
)
def test_nothing_is_fetched_from_anywhere_else(stage: Stage, ana: Agent, url: str) -> None:
    stage.text(CUSTOMER, "Look", media=[url])
    assert picture(stage)["problem"] == "the file is not one of this account's at Twilio"
    assert stage.twilio.requests == []


def test_a_failure_is_tried_again_and_then_given_up(stage: Stage, ana: Agent) -> None:
    stage.modify(chat_control={"idle_timeout_minutes": 60})
    url = stage.twilio.add_media(PNG)
    stage.twilio.fail_next(Fault.UNAVAILABLE, 2)
    stage.text(CUSTOMER, "Look", media=[url])
    assert (picture(stage)["url"], picture(stage)["problem"]) == (None, "")
    stage.pass_minutes(2)
    assert content(ana, picture(stage)["url"]) == PNG
    stage.twilio.fail_next(Fault.UNAVAILABLE, 1000)
    stage.text(CUSTOMER, "And this", media=[url])
    stage.pass_minutes(30)
    assert picture(stage)["problem"].startswith("given up after 5 tries")
    stage.twilio.heal()


def test_a_picture_goes_out_by_a_link_that_expires(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Do you have a picture?")
    conversation = stage.conversation()
    upload = ana.upload(PNG, "image/png", conversation_id=conversation["id"])
    reply = ana.reply(conversation, "Here you are", media=[upload["media_id"]])
    assert (stage.message(reply)["status"], stage.ledger()) == ("accepted", ["Here you are"])
    assert stage.twilio.accepted[0]["num_media"] == "1"
    (link,) = stage.twilio.forms[0]["MediaUrl"]
    assert link.startswith(f"{PUBLIC_URL}/media/")
    target = link.removeprefix(PUBLIC_URL)
    fetched = stage.provider.get(target, base_url=PUBLIC_URL)
    assert (fetched.status_code, fetched.content_type, fetched.get_data()) == (200, "image/png", PNG)
    assert stage.provider.get(target + "0", base_url=PUBLIC_URL).status_code == 403
    stage.pass_seconds(4 * 3600, every=600)
    assert stage.provider.get(target, base_url=PUBLIC_URL).status_code == 403


def test_a_picture_alone_is_a_message(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Do you have a picture?")
    conversation = stage.conversation()
    upload = ana.upload(PNG, "image/png", conversation_id=conversation["id"])
    ana.reply(conversation, "", media=[upload["media_id"]])
    assert "Body" not in stage.twilio.forms[0]


def test_an_upload_that_is_no_picture_is_refused(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Do you have a picture?")
    problem = ana.upload(b"<html>", "text/html", 422, conversation_id=stage.conversation()["id"])
    assert problem["errors"][0]["field"] == "Content-Type"


def test_an_unknown_upload_is_refused_naming_it(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Do you have a picture?")
    problem = ana.reply(stage.conversation(), "Here", expect=422, media=[stage.conversation()["id"]])
    assert problem["errors"][0]["field"] == "media_ids[0]"
    assert stage.ledger() == []
