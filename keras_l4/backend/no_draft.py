"""JAX and torch: no step is traced to be thrown away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def draft(optimizer: Any) -> Callable[[], bool]:
    """To be called where `optimizer` was built: tells later whether this is still a draft."""
    return lambda: False
