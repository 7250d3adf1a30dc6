"""Caches and copies: what the store is built of."""

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from adapters.event_store.cache import copy_of
from adapters.event_store.lru import Lru
from tests.contracts.samples import Chat


def test_a_cache_keeps_what_was_used_last() -> None:
    cache: Lru[int, str] = Lru(2)
    cache.put(1, "one", cache.generation)
    cache.put(2, "two", cache.generation)
    assert cache.get(1) == "one"
    cache.put(3, "three", cache.generation)
    assert [cache.get(number) for number in (1, 2, 3)] == ["one", None, "three"]


def test_a_cache_takes_nothing_from_before_it_was_cleared() -> None:
    cache: Lru[int, str] = Lru(2)
    generation = cache.generation
    cache.clear()
    cache.put(1, "stale", generation)
    assert cache.get(1) is None


@dataclass
class Draft:
    words: list[str] = field(default_factory=list)


def test_a_copy_shares_nothing_that_can_change() -> None:
    original = Chat.start(UUID(int=1))
    state = {"list": [[1]], "dict": {"a": [1]}, "set": {1}, "draft": Draft(["a"]), "wait": timedelta(1)}
    vars(original).update(state)
    twin = copy_of(original)
    assert twin == original
    vars(twin)["list"][0].append(2)
    vars(twin)["dict"]["a"].append(2)
    vars(twin)["set"].add(2)
    vars(twin)["draft"].words.append("b")
    twin.write("more")
    assert vars(original)["list"] == [[1]]
    assert vars(original)["dict"] == {"a": [1]}
    assert vars(original)["set"] == {1}
    assert vars(original)["draft"] == Draft(["a"])
    assert (original.texts, len(original.pending_events), original.version) == ([], 1, 1)
