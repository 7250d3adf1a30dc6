"""The database is lost: `parley backup` and `parley restore`, as an operator runs them."""

from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner
from psycopg import sql

from contracts.far_end import Fault
from tests.flows.stage import CUSTOMER, OTHER_CUSTOMER, Agent, Stage
from tests.flows.traces import environment
from workers.cli import main
from workers.inline import InlineExecutor


@pytest.fixture
def shape(cluster: dict[str, Any]) -> dict[str, Any]:
    return cluster


def parley(stage: Stage, *arguments: str) -> str:
    done = CliRunner().invoke(main, arguments, env=environment(stage))
    assert done.exit_code == 0, done.output
    return done.output


def lose_the_database(stage: Stage) -> None:
    settings = stage.platform.settings
    assert settings.database_url is not None
    with psycopg.connect(settings.database_url.get_secret_value(), autocommit=True) as connection:
        for schema in (settings.namespace, f"{settings.namespace}_views"):
            connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))


def test_what_was_lost_comes_back_and_nothing_is_sent_again(stage: Stage, ana: Agent, tmp_path: Path) -> None:
    stage.text(CUSTOMER, "Where is my parcel?")
    ana.reply(stage.conversation(), "On its way.")
    stage.text(OTHER_CUSTOMER, "And mine?")
    file = tmp_path / "parley.backup"
    parley(stage, "backup", str(file))
    stage.twilio.fail_next(Fault.RESET_AFTER)
    doubtful = ana.reply(stage.conversation(OTHER_CUSTOMER), "Yours too.")
    stage.text(CUSTOMER, "After the backup")
    said, ledger = stage.said(), stage.ledger()
    stage.close()

    lose_the_database(stage)
    parley(stage, "migrate")
    told = parley(stage, "restore", str(file))
    assert "events were taken up" in told
    assert "The store is whole" in told

    stage.open(InlineExecutor())
    stage.settle()
    assert stage.said() == said
    assert stage.message(doubtful)["status"] == "in_doubt"
    stage.text(CUSTOMER, "Hello again")
    stage.signed_in("ana").reply(stage.conversation(), "Hello!")
    assert stage.ledger() == [*ledger, "Hello!"]


def test_a_store_that_is_not_empty_is_left_as_it_is(stage: Stage, ana: Agent, tmp_path: Path) -> None:
    stage.text(CUSTOMER, "Where is my parcel?")
    file = tmp_path / "parley.backup"
    parley(stage, "backup", str(file))
    refused = CliRunner().invoke(main, ["restore", str(file)], env=environment(stage))
    assert refused.exit_code == 2
    assert "empty" in refused.output
    assert stage.said() == [("customer", "Where is my parcel?")]
