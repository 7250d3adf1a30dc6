"""A mapping that cannot work any more holds nobody else up, and its own texts wait visibly."""

import pytest

from contracts.far_end import Fault
from tests.fakes.twilio_state import ACCOUNT_SID, AUTH_TOKEN
from tests.flows.stage import CUSTOMER, OTHER_CUSTOMER, SALES, SUPPORT, Agent, Json, Stage

SUPPORT_ROUTE = {"address": SUPPORT, "display_name": "Support", "skill_queue": "SUPPORT"}
SALES_ROUTE = {"address": SALES, "display_name": "Sales", "skill_queue": "SUPPORT"}
CREDENTIALS = {"user_name": ACCOUNT_SID, "password": AUTH_TOKEN}


@pytest.fixture
def two_mappings(stage: Stage) -> None:
    """Support's number, which sorts first, on a mapping of its own."""
    stage.modify(routes=[SUPPORT_ROUTE])
    stage.add_mapping("SALES", routes=[SALES_ROUTE])


def strip(stage: Stage) -> None:
    """Make the support mapping a draft without credentials."""
    stage.modify(status="draft", credentials={"password": None})


def mend(stage: Stage) -> None:
    stage.modify(status="active", credentials=CREDENTIALS)


@pytest.mark.usefixtures("two_mappings")
def test_a_mapping_without_credentials_sends_nothing_and_holds_nobody_up(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Hello")
    stage.text(OTHER_CUSTOMER, "Hello", to=SALES, mapping="SALES")
    strip(stage)
    reply = ana.reply(stage.conversation(CUSTOMER), "from support")
    ana.reply(stage.conversation(OTHER_CUSTOMER), "from sales")
    told = stage.message(reply)
    assert (told["status"], told["error_detail"]) == (
        "rejected",
        "credentials.user_name is missing on mapping TW",
    )
    mend(stage)
    ana.reply(stage.conversation(CUSTOMER), "once more")
    assert stage.ledger() == ["from sales", "once more"]


@pytest.mark.usefixtures("two_mappings")
def test_a_provider_that_is_not_installed_any_more_holds_nobody_up(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Hello")
    stage.text(OTHER_CUSTOMER, "Hello", to=SALES, mapping="SALES")
    conversation: Json = stage.conversation(CUSTOMER)
    stage.twilio.fail_next(Fault.FAILED)
    doubtful = ana.reply(conversation, "in doubt")
    twilio = stage.platform.providers.pop("twilio")
    stage.modify("TW", 422, description="noticed")
    stage.platform.sender.close()  # as after a restart
    reply = stage.message(ana.reply(conversation, "not now"))
    stage.pass_seconds(30)
    assert (reply["status"], "not installed" in reply["error_detail"]) == ("rejected", True)
    assert stage.message(doubtful)["status"] == "in_doubt"
    stage.platform.providers["twilio"] = twilio
    stage.platform.sender.close()
    ana.reply(conversation, "now")
    assert stage.ledger() == ["now"]


@pytest.mark.usefixtures("two_mappings")
def test_pictures_of_a_mapping_without_credentials_hold_no_others_up(stage: Stage, ana: Agent) -> None:
    png = b"\x89PNG\r\n\x1a\n"
    stage.text(CUSTOMER, "Look", media=[stage.twilio.add_media(png)], settle=False)
    media = [stage.twilio.add_media(png)]
    stage.text(OTHER_CUSTOMER, "Look", to=SALES, mapping="SALES", media=media, settle=False)
    strip(stage)
    stage.pass_minutes(2)
    kept = [each["media"][0]["size"] for each in stage.conversation(OTHER_CUSTOMER)["messages"][:1]]
    assert kept == [len(png)]
