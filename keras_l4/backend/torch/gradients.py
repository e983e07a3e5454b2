"""torch: eager, so that branches are Python's and state is written in place."""

from __future__ import annotations

from typing import Any


def dense_gradient(gradient: Any, xla: bool) -> Any:
    """The gradient, dense: torch embeddings of Keras are."""
    return gradient


def is_sparse(gradient: Any) -> bool:
    return False
