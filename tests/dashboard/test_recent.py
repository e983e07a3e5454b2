from __future__ import annotations

import pytest

from keras_l4.dashboard.recent import VersionedCache


def fail() -> int:
    raise AssertionError("made again")


def test_is_made_once() -> None:
    recent: VersionedCache[int] = VersionedCache(2)
    assert recent.get("a", 1, lambda: 7) == 7
    assert recent.get("a", 1, fail) == 7


def test_other_version_takes_its_place() -> None:
    recent: VersionedCache[int] = VersionedCache(2)
    recent.get("a", 1, lambda: 7)
    assert recent.get("a", 2, lambda: 8) == 8
    with pytest.raises(AssertionError, match="made again"):
        recent.get("a", 1, fail)


def test_keeps_those_that_were_asked_for_last() -> None:
    recent: VersionedCache[int] = VersionedCache(2)
    for key in ("a", "b", "a", "c"):
        recent.get(key, 1, lambda: 7)
    assert recent.get("a", 1, fail) == 7
    with pytest.raises(AssertionError, match="made again"):
        recent.get("b", 1, fail)
