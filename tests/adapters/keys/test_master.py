"""The master key, its file and its check."""

import base64
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from adapters.keys import master
from adapters.keys.master import MasterKey, load_or_create
from adapters.keys.vault import Vault, WrongMasterKey
from domain.errors import Unreadable
from tests.adapters.event_store.worlds import MASTER
from tests.contracts.event_store_contract import FakeClock
from tests.fakes.databases import Opened

KEY = bytes(range(32))


@pytest.mark.parametrize("text", [KEY.hex(), KEY.hex().upper(), base64.b64encode(KEY).decode() + "\n"])
def test_a_key_may_be_written_either_way(text: str) -> None:
    wrapped = MasterKey(KEY).wrap(b"value", b"context")
    assert MasterKey.from_text(text).unwrap(wrapped, b"context") == b"value"


@pytest.mark.parametrize(
    "text", ["", "?", "passw0rd", KEY.hex()[:-2], "z" * 64, base64.b64encode(KEY[:16]).decode()]
)
def test_anything_else_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(ValueError, match="master key must") as caught:
        MasterKey.from_text(text)
    assert not text or text not in str(caught.value)


def test_a_key_does_not_show_itself() -> None:
    assert KEY.hex() not in repr(MasterKey(KEY))
    assert repr(KEY) not in repr(MasterKey(KEY))


@pytest.mark.parametrize("change", ["context", "key", "bytes", "length"])
def test_what_is_wrapped_is_bound(change: str) -> None:
    wrapped = MasterKey(KEY).wrap(b"value", b"context")
    other = MasterKey(bytes(32)) if change == "key" else MasterKey(KEY)
    context = b"other" if change == "context" else b"context"
    altered = {"bytes": wrapped[:-1] + bytes([wrapped[-1] ^ 1]), "length": wrapped[:5]}.get(change, wrapped)
    with pytest.raises(Unreadable):
        other.unwrap(altered, context)


def test_the_file_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    first = load_or_create(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_or_create(path).unwrap(first.wrap(b"value", b""), b"") == b"value"
    assert list(tmp_path.iterdir()) == [path]


def test_of_many_who_make_the_file_one_wins(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda _: load_or_create(path), range(8)))
    wrapped = keys[0].wrap(b"value", b"")
    assert [key.unwrap(wrapped, b"") for key in keys] == [b"value"] * 8


def test_a_file_that_is_there_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    load_or_create(path)
    before = path.read_bytes()
    master._create(path)  # as a process does that saw no file a moment ago
    assert path.read_bytes() == before


def test_a_damaged_file_is_named_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    path.write_text("half a k")
    with pytest.raises(ValueError, match=r"master\.key: .*Restore"):
        load_or_create(path)
    assert path.read_text() == "half a k"


def test_a_wrong_master_key_is_one_clear_error_at_the_start(database: Opened, clock: FakeClock) -> None:
    Vault(database, MASTER, clock)
    Vault(database, MASTER, clock)
    with pytest.raises(WrongMasterKey, match="PARLEY_MASTER_KEY"):
        Vault(database, MasterKey(bytes(32)), clock)
