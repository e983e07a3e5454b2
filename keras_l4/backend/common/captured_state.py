"""State that a step function captures by itself: TensorFlow and torch need no help to carry it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras

STATE_IS_FUNCTIONAL = False
"""Whether the rings travel with the optimizer's state through a step function."""


@contextlib.contextmanager
def expose_in_optimizer_variables(rings: Sequence[keras.Variable]) -> Iterator[None]:
    """Where the step function is made or run: nothing to do, since it captures the rings."""
    yield


def adopt_from_optimizer_variables(
    rings: Sequence[keras.Variable], optimizer_variables: Sequence[Any]
) -> None:
    """Takes the rings from the state of a loop: they are where they were."""


def exposed_rings(rings: Sequence[keras.Variable]) -> list[keras.Variable]:
    """The rings that `optimizer.variables` shows at this moment: none."""
    return []


def thread_through_step(
    step_function: Callable[..., Any], rings: Callable[[], Sequence[keras.Variable]]
) -> Any:
    """The step function that takes the rings along: it does so by itself."""
    return step_function


def new_weight_buffer(variables: Sequence[keras.Variable], optimizer: Any) -> Any:
    """None, no room for the weights from before an update: they are copied where they are read."""
    return None
