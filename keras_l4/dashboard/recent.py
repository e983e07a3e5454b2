"""Recent: the last few results, for the same question that is asked again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

_T = TypeVar("_T")


class VersionedCache(Generic[_T]):
    """Keeps the results that were asked for last.

    Args:
        most: How many.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[Hashable, _T]] = OrderedDict()

    def get(self, key: Hashable, version: Hashable, make: Callable[[], _T]) -> _T:
        """The result of `key`, made now if it is not kept, or of another version.

        There is one version of each: a run that is being written has a new one every few seconds.
        """
        with self._lock:
            if key in self._kept and self._kept[key][0] == version:
                self._kept.move_to_end(key)
                return self._kept[key][1]
        # Not under the lock: a slow answer must not keep a quick one waiting.
        made = make()
        with self._lock:
            self._kept[key] = version, made
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return made
