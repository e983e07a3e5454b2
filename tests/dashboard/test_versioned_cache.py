from __future__ import annotations

import pytest

from keras_l4.dashboard.versioned_cache import VersionedCache


def fail() -> int:
    raise AssertionError("computed again")


def test_value_is_computed_once() -> None:
    cache: VersionedCache[int] = VersionedCache(2)
    assert cache.get("a", 1, lambda: 7) == 7
    assert cache.get("a", 1, fail) == 7


def test_new_version_replaces_the_old_one() -> None:
    cache: VersionedCache[int] = VersionedCache(2)
    cache.get("a", 1, lambda: 7)
    assert cache.get("a", 2, lambda: 8) == 8
    with pytest.raises(AssertionError, match="computed again"):
        cache.get("a", 1, fail)


def test_least_recently_used_key_is_evicted() -> None:
    cache: VersionedCache[int] = VersionedCache(2)
    for key in ("a", "b", "a", "c"):
        cache.get(key, 1, lambda: 7)
    assert cache.get("a", 1, fail) == 7
    with pytest.raises(AssertionError, match="computed again"):
        cache.get("b", 1, fail)
