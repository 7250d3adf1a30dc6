"""Rows of one transaction, remembered."""

from projections.desk import INVOLVEMENTS
from projections.registry import ALL
from projections.routing import ROUTABLE
from projections.rows import Rows
from projections.views import Views


def test_a_statement_of_ones_own_sees_and_changes_what_is_remembered(views: Views) -> None:
    with views.transaction() as cursor:
        rows = Rows(cursor)
        rows.put(ROUTABLE, agent_id="1", login="ana", removed=0)
        rows.run("UPDATE routable SET login = :login WHERE login = 'ana'", {"login": "ben"})
        assert rows.get(ROUTABLE, "1") == {"agent_id": "1", "login": "ben", "removed": 0}
        rows.change(ROUTABLE, "1", removed=1)
        rows.flush()
        assert cursor.all("SELECT * FROM routable") == [{"agent_id": "1", "login": "ben", "removed": 1}]


def test_what_is_deleted_may_be_put_again(views: Views) -> None:
    with views.transaction() as cursor:
        rows = Rows(cursor)
        rows.put(ROUTABLE, agent_id="1", login="ana", removed=0)
        rows.flush()
        rows.delete(ROUTABLE, "1")
        assert rows.change(ROUTABLE, "1", removed=1) is None
        rows.flush()
        assert cursor.all("SELECT * FROM routable") == []
        rows.put(ROUTABLE, agent_id="1", login="cal", removed=0)
        rows.flush()
        assert [row["login"] for row in cursor.all("SELECT * FROM routable")] == ["cal"]


def test_more_rows_than_one_query_takes_are_read_ahead(views: Views) -> None:
    ids = [str(number) for number in range(1201)]
    with views.transaction() as cursor:
        rows = Rows(cursor)
        for each in ids:
            rows.put(ROUTABLE, agent_id=each, login=each, removed=0)
        rows.flush()
        again = Rows(cursor)
        again.expect(ROUTABLE, [*ids, "none"])
        cursor.run("DELETE FROM routable")
        assert [row and row["login"] for row in (again.get(ROUTABLE, each) for each in ids)] == ids
        assert again.get(ROUTABLE, "none") is None


def test_all_rows_are_read_ahead_whose_key_begins_with_an_id(views: Views) -> None:
    with views.transaction() as cursor:
        rows = Rows(cursor)
        for stream, login in (("1", "ana"), ("1", "ben"), ("2", "ana")):
            rows.put(INVOLVEMENTS, conversation_id=stream, login=login, since=7)
        rows.flush()
        again = Rows(cursor)
        again.expect(INVOLVEMENTS, ["1"])
        cursor.run("DELETE FROM involvements")
        assert [bool(again.get(INVOLVEMENTS, "1", login)) for login in ("ana", "ben", "cal")] == [
            True,
            True,
            False,
        ]
        assert again.get(INVOLVEMENTS, "2", "ana") is None


def test_every_table_read_ahead_has_an_id_first_in_its_key() -> None:
    assert {table.key[0].split("_")[-1] for each in ALL for table in each.by_stream} == {"id"}
