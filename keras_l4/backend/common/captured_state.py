"""Step state on TensorFlow and torch, whose step functions update variables in place.

The ring buffers need not be passed through the step function, so these functions do nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from keras_l4.backend.interface import Ring, Tensor, Variable, WeightBuffer

STATE_IS_FUNCTIONAL = False


@contextlib.contextmanager
def expose_in_optimizer_variables(rings: Sequence[Ring]) -> Iterator[None]:
    yield


def adopt_from_optimizer_variables(
    rings: Sequence[Ring], optimizer_variables: Sequence[Tensor]
) -> None:
    pass


def exposed_rings(rings: Sequence[Ring]) -> list[Ring]:
    return []


def thread_rings_through(
    step_function: Callable[..., Any], get_rings: Callable[[], Sequence[Ring]]
) -> Callable[..., Any]:
    return step_function


def create_weight_buffer(variables: Sequence[Variable], optimizer: Any) -> WeightBuffer | None:
    # A branch that is not taken copies nothing here, so that copies can be made on demand.
    return None
