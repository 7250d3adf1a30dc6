"""The command line: what it prints for people and programs; errors are one line, and exit with 2."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result
from pydantic import SecretStr

from tests.fakes.twilio_state import ACCOUNT_SID
from tests.flows.stage import CUSTOMER, PUBLIC_URL, Agent, Stage
from tests.servers.process import free_port
from workers.cli import main

ROOT = Path(__file__).parents[2]


@pytest.fixture
def data(stage: Stage, ana: Agent) -> Path:
    """A folder in which something has happened."""
    stage.text(CUSTOMER, "Where is my parcel?")
    ana.reply(stage.conversation(), "On its way.")
    stage.pass_minutes(1)
    ana.end(stage.conversation())
    return stage.folder


def parley(folder: Path, *arguments: str, **settings: str) -> Result:
    environment = {"PARLEY_DATA_DIR": str(folder), "COLUMNS": "200"} | settings
    return CliRunner().invoke(main, arguments, env=environment)


def refused(result: Result) -> str:
    """The one line that says what is wrong."""
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("parley: ")
    return str(line)


def test_replay_tells_people_who_did_what_and_why(stage: Stage, data: Path) -> None:
    printed = parley(data, "replay", stage.conversation()["id"]).stdout
    for part in (
        "TW, version 1",
        "Where is my parcel?",
        "On its way.",
        "ana",
        "idle the longest",
        "Attempt 1",
    ):
        assert part in printed


def test_replay_shows_the_state_as_of_a_time(stage: Stage, data: Path) -> None:
    conversation = stage.conversation()["id"]
    during = parley(data, "replay", conversation, "--at", "2026-03-02T09:00:30").stdout
    assert ("assigned" in during, "ended" in during) == (True, False)
    later = parley(data, "replay", conversation, "--at", "2026-03-02T10:02+01:00").stdout
    assert "ended" in later
    before = parley(data, "replay", conversation, "--at", "2026-03-02T08:00").stdout
    assert "not begun" in before


def test_replay_for_programs_is_what_the_api_answers(stage: Stage, data: Path) -> None:
    conversation = stage.conversation()["id"]
    printed = json.loads(parley(data, "replay", conversation, "--json").stdout)
    assert printed == stage.admin.get(f"/conversations/{conversation}/replay")
    at = "2026-03-02T09:00:30Z"
    printed = json.loads(parley(data, "replay", conversation, "--json", "--at", at).stdout)
    assert printed == stage.admin.get(f"/conversations/{conversation}?at={at}")


def test_replay_of_nothing_or_of_no_time_is_refused(stage: Stage, data: Path) -> None:
    assert "no conversation" in refused(parley(data, "replay", str(uuid4())))
    conversation = stage.conversation()["id"]
    assert "--at yesterday" in refused(parley(data, "replay", conversation, "--at", "yesterday"))


def test_rebuild_gives_the_same_views(stage: Stage, data: Path) -> None:
    before = (stage.conversation(), stage.admin.get("/mappings"), stage.admin.get("/agents"))
    assert parley(data, "rebuild").exit_code == 0
    stage.restart()
    assert (stage.conversation(), stage.admin.get("/mappings"), stage.admin.get("/agents")) == before
    assert parley(data, "rebuild", "history", "desk").exit_code == 0
    assert stage.conversation() == before[0]


def test_rebuild_of_an_unknown_view_names_the_views(data: Path) -> None:
    result = parley(data, "rebuild", "nonsense")
    assert result.exit_code == 2
    assert "history" in result.stderr


def test_forget_says_what_it_did_and_asks_before(stage: Stage, data: Path) -> None:
    asked = CliRunner().invoke(main, ["forget", CUSTOMER], env={"PARLEY_DATA_DIR": str(data)}, input="n\n")
    assert asked.exit_code == 1
    assert stage.conversation()["customer"] == CUSTOMER
    done = parley(data, "forget", "(202) 555-0123", "--country", "US", "--yes")
    assert "forgotten: 1 key(s)" in done.stdout
    assert stage.conversations() == []


def test_forget_says_that_a_conversation_is_open(stage: Stage, data: Path) -> None:
    stage.text(CUSTOMER, "One more thing")
    problem = refused(parley(data, "forget", CUSTOMER, "--yes"))
    assert problem == "parley: a conversation with this customer is open; end it first"
    assert stage.conversation()["customer"] == CUSTOMER


def test_forget_needs_a_number_that_can_be_read(data: Path) -> None:
    assert "--country" in refused(parley(data, "forget", "555-0123", "--yes"))
    assert "US" in refused(parley(data, "forget", "not a number", "--country", "US", "--yes"))


def test_doctor_says_what_is_fine_and_what_is_wrong(stage: Stage, data: Path) -> None:
    result = parley(data, "doctor", "--json", PARLEY_PUBLIC_URL="https://sms.example.com")
    findings = {each["subject"]: each for each in json.loads(result.stdout)}
    assert findings["PARLEY_PUBLIC_URL"]["level"] == "fine"
    assert findings["mapping TW"]["level"] == "fine", findings["mapping TW"]
    assert findings["progress"]["level"] == "fine"
    assert (findings["parked"]["level"], result.exit_code) == ("fine", 0)
    stage.twilio.account_status = "suspended"
    result = parley(data, "doctor", "--json")
    findings = {each["subject"]: each for each in json.loads(result.stdout)}
    assert findings["mapping TW"]["level"] == "wrong"
    assert "suspended" in findings["mapping TW"]["finding"]
    assert result.exit_code == 1


def test_doctor_tells_of_receipts_that_match_nothing(stage: Stage, data: Path) -> None:
    form = {"MessageSid": "SM" + "a" * 32, "MessageStatus": "sent", "AccountSid": ACCOUNT_SID}
    assert stage.twilio.send(f"{PUBLIC_URL}/ingress/rest/TW/status", form)[0] == 200
    stage.settle()
    assert "match no message" in parley(data, "doctor", "--json").stdout  # three days later by its own clock


def test_doctor_speaks_to_people_too(data: Path) -> None:
    printed = parley(data, "doctor").stdout
    assert "PARLEY_PUBLIC_URL" in printed
    assert "not set" in printed


def test_doctor_works_before_anything_was_started(tmp_path: Path) -> None:
    result = parley(tmp_path / "nothing", "doctor", "--json")
    assert "start `parley up`" in result.stdout
    assert not (tmp_path / "nothing").exists()


def test_without_data_or_with_wrong_settings_one_line_says_so(tmp_path: Path, data: Path) -> None:
    assert "there is no data" in refused(parley(tmp_path / "nothing", "replay", str(uuid4())))
    assert "PARLEY_PORT" in refused(parley(data, "doctor", PARLEY_PORT="eighty"))
    assert "PARLEY_PROT" in refused(parley(data, "doctor", PARLEY_PROT="8080"))


def test_another_master_key_is_refused(data: Path) -> None:
    assert "master key" in refused(parley(data, "rebuild", PARLEY_MASTER_KEY="00" * 32))
    assert "PARLEY_MASTER_KEY" in refused(parley(data, "rebuild", PARLEY_MASTER_KEY="nonsense"))


def test_a_key_and_a_user_are_made(stage: Stage, data: Path) -> None:
    made = parley(data, "key", "robot", "--role", "analyst")
    assert made.exit_code == 0, made.output
    key = {"Authorization": f"Bearer {made.stdout.strip()}"}
    assert stage.provider.get("/api/v1/missed", headers=key).status_code == 200
    made = CliRunner().invoke(
        main,
        ["user", "ben", "--role", "agent", "--password", "a long password"],
        env={"PARLEY_DATA_DIR": str(data)},
    )
    assert made.exit_code == 0
    assert [each["login"] for each in stage.admin.get("/users")["items"]] == ["ana", "ben"]
    assert "ben" in refused(parley(data, "user", "ben", "--role", "agent", "--password", "a long password"))


def test_doctor_says_what_of_the_cluster_is_away(cluster: dict[str, Any], tmp_path: Path) -> None:
    shape = {
        f"PARLEY_{name.upper()}": value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in cluster.items()
    }
    everything = shape | {"PARLEY_DATA_DIR": str(tmp_path / "data")}
    nowhere = f"127.0.0.1:{free_port()}"

    def examined(**changes: str) -> dict[str, tuple[str, str]]:
        # In a process of its own: kafka-python leaves sockets of refused connections open.
        told = subprocess.run(
            [sys.executable, "-c", "from workers.cli import main; main()", "doctor", "--json"],
            cwd=ROOT,
            env=dict(os.environ) | everything | changes,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return {each["subject"]: (each["level"], each["finding"]) for each in json.loads(told.stdout)}

    assert examined()["progress"][0] == "fine"
    level, finding = examined(PARLEY_KAFKA=nowhere)["Kafka"]
    assert (level, nowhere in finding) == ("wrong", True)
    level, finding = examined(PARLEY_DATABASE_URL=f"postgresql://nobody@{nowhere}/none")["PostgreSQL"]
    assert (level, "refused" in finding) == ("wrong", True)


def test_a_process_of_the_cluster_says_what_it_lacks(cluster: dict[str, Any]) -> None:
    told = CliRunner().invoke(main, ["ingest"])
    assert (told.exit_code, "set PARLEY_DATABASE_URL and PARLEY_KAFKA" in told.output) == (2, True)
    one = CliRunner().invoke(main, ["up"], env={"PARLEY_KAFKA": "127.0.0.1:9092"})
    assert (one.exit_code, "go together" in one.output) == (2, True)
    shape = {
        "PARLEY_DATABASE_URL": cluster["database_url"].get_secret_value(),
        "PARLEY_KAFKA": cluster["kafka"],
        "PARLEY_NAMESPACE": "not_migrated",
    }
    no_key = CliRunner().invoke(main, ["ingest"], env=shape)
    assert (no_key.exit_code, "PARLEY_MASTER_KEY is needed in the cluster" in no_key.output) == (2, True)
    no_tables = CliRunner().invoke(main, ["backup", "x"], env=shape | {"PARLEY_MASTER_KEY": "ab" * 32})
    assert (no_tables.exit_code, "run parley migrate" in no_tables.output) == (2, True)
