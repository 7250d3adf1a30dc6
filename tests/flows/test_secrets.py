"""Secrets are write-only (rule 12): in no file in clear, no answer, no log record, no exception."""

import logging

import pytest

from contracts.far_end import Fault
from tests.fakes.twilio_state import ACCOUNT_SID, AUTH_TOKEN, KEY_SECRET, KEY_SID
from tests.flows.stage import CUSTOMER, SUPPORT, Agent, Json, Stage
from tests.flows.traces import places_with

SECRETS = (AUTH_TOKEN, KEY_SECRET)
CREDENTIALS = {
    "user_name": ACCOUNT_SID,
    "password": AUTH_TOKEN,
    "access_key": KEY_SID,
    "access_secret": KEY_SECRET,
}
READS = (
    "/mappings",
    "/mappings/TW",
    "/mappings/TW/history",
    "/mappings/TW/status",
    "/openapi.json",
    "/health",
    "/metrics",
)


def leaked(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text]


def test_a_secret_is_nowhere_to_be_read(
    stage: Stage, ana: Agent, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[str] = [str(stage.modify(credentials=CREDENTIALS))]
    stage.text(CUSTOMER, "Hello")
    for fault in (*Fault,):
        if fault not in (Fault.HANG, Fault.SLOW):  # those only take time
            stage.twilio.fail_next(fault)
            told.append(str(stage.message(ana.reply(stage.conversation(), f"with fault {fault}"))))
    stage.pass_minutes(5)
    stage.twilio.heal()
    told.append(str(stage.admin.post("/mappings/TW/test")))
    told.append(str(stage.admin.post("/mappings/TW/duplicate", {"code": "COPY"})))
    wrong: Json = {"routes": [{"address": SUPPORT, "display_name": "x", "skill_queue": "NO"}]}
    told.append(str(stage.modify(expect=422, credentials=CREDENTIALS, **wrong)))
    told.append(str(stage.modify(expect=422, credentials=CREDENTIALS | {"pasword": AUTH_TOKEN})))
    told += [stage.admin.ask("GET", path).get_data(as_text=True) for path in READS]
    told.append(repr(stage.platform.accounts.mapping("TW").settings))
    told.append(repr(stage.platform.accounts.of(stage.platform.accounts.mapping("TW"))))
    assert [secret for text in told for secret in leaked(text)] == []
    assert places_with(stage, *SECRETS) == []
    records = [f"{each.getMessage()} {each.args} {each.exc_text or ''}" for each in caplog.records]
    assert records
    assert [record for record in records if leaked(record)] == []
    assert leaked("".join(capfd.readouterr())) == []


def test_an_answer_says_whether_a_secret_is_set_and_a_put_without_one_keeps_it(
    stage: Stage, ana: Agent
) -> None:
    shown = stage.admin.get("/mappings/TW")["credentials"]
    assert (shown["user_name"], shown["password"]) == (ACCOUNT_SID, {"set": True})
    stage.modify(credentials={"user_name": ACCOUNT_SID}, description="no secret sent")
    ana.start(CUSTOMER, "It still works")
    assert stage.ledger() == ["It still works"]


def test_null_clears_a_secret(stage: Stage) -> None:
    stage.modify(credentials=CREDENTIALS)
    cleared = {"user_name": ACCOUNT_SID, "password": AUTH_TOKEN, "access_secret": None}
    stage.modify(credentials=cleared)
    assert stage.admin.get("/mappings/TW")["credentials"]["access_secret"] == {"set": False}


def test_a_problem_of_the_carrier_does_not_quote_the_secret(stage: Stage, ana: Agent) -> None:
    stage.modify(credentials={"user_name": ACCOUNT_SID, "password": AUTH_TOKEN + "x"})
    started = ana.start(CUSTOMER, "Hello", single=True)
    told = stage.message(started["message"])
    assert (told["status"], leaked(str(told))) == ("rejected", [])
