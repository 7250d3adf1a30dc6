"""Customers', periods' and the platform's keys, and secrets."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.keys.customers import Keyring
from adapters.keys.periods import PeriodKeys
from adapters.keys.platform import platform_key
from adapters.keys.secrets import SecretStore
from adapters.keys.vault import Vault
from domain.errors import Unreadable
from domain.ports import Secrets
from tests.contracts.event_store_contract import FakeClock

DAY = timedelta(days=1)

# ── customers ──────────────────────────────────────────────────────────────────────────────────


def test_every_customer_has_a_key_of_their_own_that_stays(open_vault: Callable[[], Vault]) -> None:
    customers = [uuid4() for _ in range(20)]
    keyring = Keyring(open_vault())
    keys = keyring.keys_for(customers)
    assert len({key.key for key in keys.values()}) == len({key.key_id for key in keys.values()}) == 20
    assert all(len(key.key) == 32 and len(key.key_id) == 16 for key in keys.values())
    assert keyring.keys_for(customers[:3]) == {customer: keys[customer] for customer in customers[:3]}
    assert Keyring(open_vault()).keys_for([*customers[10:], uuid4()]).items() >= {
        (customer, keys[customer]) for customer in customers[10:]
    }


def test_processes_that_meet_a_customer_together_agree(open_vault: Callable[[], Vault]) -> None:
    customers = [uuid4() for _ in range(5)]
    keyrings = [Keyring(open_vault()) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda keyring: keyring.keys_for(customers), keyrings))
    assert all(each == found[0] for each in found)


def test_a_key_is_found_by_its_id(open_vault: Callable[[], Vault]) -> None:
    customer_id = uuid4()
    keyring = Keyring(open_vault())
    key = keyring.keys_for([customer_id])[customer_id]
    for each in (keyring, Keyring(open_vault())):
        assert each.by_key_id(key.key_id) == each.by_key_id(key.key_id) == key.key


def test_a_destroyed_key_is_gone_and_the_next_is_another(open_vault: Callable[[], Vault]) -> None:
    customer_id, stays = uuid4(), uuid4()
    keyring = Keyring(open_vault())
    old = keyring.keys_for([customer_id, stays])
    assert keyring.by_key_id(old[customer_id].key_id) is not None
    assert keyring.destroy(customer_id) == 1
    assert keyring.by_key_id(old[customer_id].key_id) is None
    assert keyring.by_key_id(old[stays].key_id) == old[stays].key
    new = keyring.keys_for([customer_id])[customer_id]
    assert new.key != old[customer_id].key
    assert new.key_id != old[customer_id].key_id
    assert keyring.destroy(customer_id) == 1
    assert keyring.destroy(customer_id) == 0
    assert [tombstone.id for tombstone in keyring.tombstones()] == [old[customer_id].key_id, new.key_id]


def test_another_process_notices_when_it_refreshes(open_vault: Callable[[], Vault]) -> None:
    customer_id = uuid4()
    mine, theirs = Keyring(open_vault()), Keyring(open_vault())
    key = mine.keys_for([customer_id])[customer_id]
    assert mine.by_key_id(key.key_id) == key.key
    before = mine.refresh()
    theirs.destroy(customer_id)
    assert mine.refresh() > before
    assert mine.by_key_id(key.key_id) is None
    assert mine.keys_for([customer_id])[customer_id] != key


def test_an_id_that_never_was_a_keys_is_an_error(vault: Vault) -> None:
    with pytest.raises(Unreadable, match="never was"):
        Keyring(vault).by_key_id(bytes(16))


def test_a_key_does_not_show_itself(vault: Vault) -> None:
    customer_id = uuid4()
    key = Keyring(vault).keys_for([customer_id])[customer_id]
    assert repr(key.key) not in repr(key)


# ── periods ────────────────────────────────────────────────────────────────────────────────────


def test_what_is_sealed_opens_in_every_process(open_vault: Callable[[], Vault], clock: FakeClock) -> None:
    sealed = PeriodKeys(open_vault(), clock).seal(b"plain", b"context")
    assert b"plain" not in sealed
    clock.time += 3 * DAY
    for _ in range(2):
        assert PeriodKeys(open_vault(), clock).open(sealed, b"context") == b"plain"


def test_every_octet_and_the_context_are_bound(vault: Vault, clock: FakeClock) -> None:
    cipher = PeriodKeys(vault, clock)
    sealed = cipher.seal(b"plain", b"context")
    with pytest.raises(Unreadable):
        cipher.open(sealed, b"other")
    for place in range(len(sealed)):
        with pytest.raises(Unreadable):
            cipher.open(sealed[:place], b"context")
        for bit in (1, 0x80):
            altered = bytearray(sealed)
            altered[place] ^= bit
            with pytest.raises(Unreadable):
                cipher.open(bytes(altered), b"context")


def test_days_that_are_over_can_be_destroyed(open_vault: Callable[[], Vault], clock: FakeClock) -> None:
    mine, theirs = PeriodKeys(open_vault(), clock), PeriodKeys(open_vault(), clock)
    sealed = []
    for _ in range(3):
        sealed.append(mine.seal(b"plain", b""))
        clock.time += DAY
    assert mine.destroy_before(datetime(2026, 1, 1, 23, 59, tzinfo=UTC)) == 0
    assert mine.destroy_before(datetime(2026, 1, 3, tzinfo=UTC)) == 2
    for cipher in (mine, theirs):
        for gone in sealed[:2]:
            with pytest.raises(Unreadable, match="destroyed"):
                cipher.open(gone, b"")
        assert cipher.open(sealed[2], b"") == b"plain"


def test_a_day_is_one_of_utc(vault: Vault, clock: FakeClock) -> None:
    cipher = PeriodKeys(vault, clock)
    clock.time = datetime(2026, 5, 2, 1, tzinfo=timezone(timedelta(hours=2)))  # still the first in UTC
    cipher.seal(b"", b"")
    assert vault.names("period") == ["2026-05-01"]


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_a_destroyed_period_key_is_in_no_file(vault: Vault, clock: FakeClock, tmp_path: Path) -> None:
    PeriodKeys(vault, clock).seal(b"", b"")
    clock.time += DAY
    [row] = vault._database.rows("SELECT sealed FROM vault WHERE kind = 'period'")
    assert PeriodKeys(vault, clock).destroy_before(clock.time) == 1
    assert not any(row["sealed"] in file.read_bytes() for file in tmp_path.iterdir())


# ── platform ───────────────────────────────────────────────────────────────────────────────────


def test_a_platform_key_is_the_same_for_ever(open_vault: Callable[[], Vault]) -> None:
    key = platform_key(open_vault(), "identities")
    assert len(key) == 32
    assert platform_key(open_vault(), "identities") == key
    assert platform_key(open_vault(), "other") != key


# ── secrets ────────────────────────────────────────────────────────────────────────────────────


def test_a_secret_is_kept_until_it_is_removed(open_vault: Callable[[], Vault], tmp_path: Path) -> None:
    secrets: Secrets = SecretStore(open_vault())
    reference = secrets.put("pässword-in-clear")
    assert SecretStore(open_vault()).get(reference) == "pässword-in-clear"
    assert not any("pässword".encode() in file.read_bytes() for file in tmp_path.iterdir())
    secrets.remove(reference)
    secrets.remove(reference)
    for each in (secrets, SecretStore(open_vault())):
        with pytest.raises(KeyError):
            each.get(reference)


def test_equal_secrets_have_different_references(vault: Vault) -> None:
    secrets = SecretStore(vault)
    assert secrets.put("same") != secrets.put("same")
