"""JAX: branches, of XLA where a step is traced, of Python where it runs eagerly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax


def is_traced(x: Any) -> bool:
    """Whether `x` has no value yet."""
    return isinstance(x, jax.core.Tracer)


def cond(predicate: Any, true: Callable[[], Any], false: Callable[[], Any]) -> Any:
    """`true()` or `false()`, which give the same shapes."""
    if is_traced(predicate):
        return jax.lax.cond(predicate, true, false)
    # XLA would compile both, anew at every step.
    return true() if predicate else false()
