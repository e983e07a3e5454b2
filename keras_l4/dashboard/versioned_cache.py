"""A least-recently-used cache with one version per key."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

_T = TypeVar("_T")


class VersionedCache(Generic[_T]):
    """Caches the most recently used values; safe to use from several threads.

    Only one version of each key is stored: a run that is being written has a new version every
    few seconds, and its older versions are never requested again.

    Args:
        max_size: Number of keys to keep.
    """

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, tuple[Hashable, _T]] = OrderedDict()

    def get(self, key: Hashable, version: Hashable, compute: Callable[[], _T]) -> _T:
        """Returns the value of `key`; calls `compute` if `version` of it is not cached."""
        with self._lock:
            if key in self._entries and self._entries[key][0] == version:
                self._entries.move_to_end(key)
                return self._entries[key][1]
        # Outside the lock, so that a slow request does not block the others. Two requests may
        # compute the same value at the same time.
        value = compute()
        with self._lock:
            self._entries[key] = version, value
            self._entries.move_to_end(key)
            while len(self._entries) > self._max_size:
                self._entries.popitem(last=False)
        return value
