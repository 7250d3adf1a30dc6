"""Users and API keys in the store."""

from datetime import timedelta

import pytest
from argon2 import PasswordHasher

from adapters.accounts import AccountStore, Role, UserDraft
from tests.contracts.event_store_contract import FakeClock
from tests.fakes.databases import Opened, Place, place

__all__ = ["accounts", "clock", "database", "place"]

ADA = UserDraft("ada", "Ada", frozenset({Role.AGENT}), "correct horse")
KEY = "an admin key of thirty-two or more characters"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def database(place: Place) -> Opened:
    return place.open()


@pytest.fixture
def accounts(database: Opened, clock: FakeClock) -> AccountStore:
    return AccountStore(database, clock, PasswordHasher(1, 8, 1))


def test_a_password_is_verified(accounts: AccountStore) -> None:
    accounts.add_user(ADA)
    assert accounts.verify("ada", "correct horse") == accounts.user("ada")
    assert accounts.verify("ada", "correct horsf") is None
    assert accounts.verify("bob", "correct horse") is None


def test_the_stamp_changes_with_the_password_only(accounts: AccountStore) -> None:
    accounts.add_user(ADA)
    first = accounts.user("ada")
    accounts.modify_user(UserDraft("ada", "Ada L.", frozenset({Role.ADMIN}), None))
    second = accounts.user("ada")
    accounts.modify_user(UserDraft("ada", "Ada L.", frozenset({Role.ADMIN}), "another one"))
    third = accounts.user("ada")
    assert first
    assert second
    assert third
    assert first.stamp == second.stamp != third.stamp
    assert accounts.verify("ada", "correct horse") is None
    assert accounts.verify("ada", "another one") == third


def test_passwords_are_hashed_as_rfc_9106_recommends(database: Opened, clock: FakeClock) -> None:
    accounts = AccountStore(database, clock)
    accounts.add_user(ADA)
    [row] = database.rows("SELECT password_hash FROM user_account")
    kept = row["password_hash"]
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert accounts.verify("ada", "correct horse")


def test_no_key_and_no_password_is_kept(accounts: AccountStore, database: Opened) -> None:
    accounts.add_user(ADA)
    accounts.ensure_admin_key(KEY)
    _, key = accounts.add_key("reports", [Role.ANALYST], None, "ada")
    rows = str([*database.rows("SELECT * FROM user_account"), *database.rows("SELECT * FROM api_key")])
    assert "reports" in rows
    assert not [secret for secret in (KEY, key, "correct horse") if secret in rows]


def test_one_admin_key_is_there(accounts: AccountStore) -> None:
    accounts.ensure_admin_key(KEY)
    first = accounts.key("admin")
    accounts.ensure_admin_key(KEY)
    assert accounts.key("admin") == first
    accounts.ensure_admin_key(KEY[::-1])
    assert accounts.verify_key(KEY) is None
    found = accounts.verify_key(KEY[::-1])
    assert found
    assert found.roles == {Role.ADMIN}


def test_the_last_use_is_noted_to_the_minute(accounts: AccountStore, clock: FakeClock) -> None:
    made, key = accounts.add_key("reports", [Role.ANALYST], None, "ada")
    assert made.last_used_at is None
    start = clock.now()
    for seconds in (0, 59):
        clock.time = start + timedelta(seconds=seconds)
        accounts.verify_key(key)
        noted = accounts.key(made.id)
        assert noted
        assert noted.last_used_at == start
    clock.time = start + timedelta(seconds=60)
    accounts.verify_key(key)
    noted = accounts.key(made.id)
    assert noted
    assert noted.last_used_at == clock.time


def test_a_key_expires(accounts: AccountStore, clock: FakeClock) -> None:
    expires = clock.now() + timedelta(hours=1)
    _, key = accounts.add_key("reports", [Role.ANALYST], expires, "ada")
    assert accounts.verify_key(key)
    clock.time = expires
    assert accounts.verify_key(key) is None
