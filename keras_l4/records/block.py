"""StepBlock: the measurements of consecutive optimizer steps, as NumPy arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

from keras_l4.records.pooling import pool

By = Literal["layer", "variable"]
SKIPPED_BY_GUARD = 2
"""Code of a step that the update guard skipped, in ring buffers and event files.

The code of an applied step is 0, and 1 stands for a step that loss scaling skipped.
"""


@dataclass(frozen=True)
class Variable:
    """One recorded trainable variable.

    Attributes:
        path: Unique path, e.g. `"sequential/dense/kernel"`.
        layer: The path up to the last slash, e.g. `"sequential/dense"`.
        shape: Shape of the tensor.
        dtype: Name of the dtype, e.g. `"float32"`.
    """

    path: str
    layer: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Series:
    """One quantity over time.

    Attributes:
        steps: Step numbers, `int64[steps]`, strictly increasing.
        names: Layer names or variable paths, in forward order.
        values: `[steps, names]`.
    """

    steps: np.ndarray
    names: tuple[str, ...]
    values: np.ndarray


@dataclass(frozen=True)
class StepBlock:
    """The measurements of consecutive optimizer steps.

    Arrays have one element per step.

    Attributes:
        optimizer: Name of the optimizer.
        variables: The recorded variables, in forward order.
        steps: Step numbers from 1, `int64`, strictly increasing.
        iterations: Keras' `optimizer.iterations` when the step began, `int64`.
        epochs: Epoch of each step, from 0, `int64`.
        batches: Batch within the epoch, from 0, `int64`.
        learning_rate: Nominal learning rate, `float64`.
        loss_scale: Factor by which the loss was multiplied, `float64`; 1 without loss scaling.
        skipped: Steps whose update was not applied, `bool`.
        skipped_by_guard: The skipped steps that the update guard of a `FlightRecorder` skipped,
            `bool`. Loss scaling skipped the other ones.
        loss: Keras' running mean of the loss over the epoch, `float64`. NaN for steps whose loss
            was not read.
        sampled: Steps at which the sampled quantities were measured, `bool`.
        values: Quantity name to `[steps, variables]`, or to `[sampled steps, variables]` for
            sampled quantities.
        layer_values: The same per layer, for quantities that cannot be pooled from `values`.
        pools: Quantity name to its key in `pooling.POOLINGS`.
        sampled_quantities: Names of the quantities that were measured at sampled steps only.
    """

    optimizer: str
    variables: tuple[Variable, ...]
    steps: np.ndarray
    iterations: np.ndarray
    epochs: np.ndarray
    batches: np.ndarray
    learning_rate: np.ndarray
    loss_scale: np.ndarray
    skipped: np.ndarray
    skipped_by_guard: np.ndarray
    loss: np.ndarray
    sampled: np.ndarray
    values: Mapping[str, np.ndarray]
    layer_values: Mapping[str, np.ndarray] = field(default_factory=dict)
    pools: Mapping[str, str] = field(default_factory=dict)
    sampled_quantities: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.steps)

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """Layer names, in forward order."""
        return tuple(dict.fromkeys(v.layer for v in self.variables))

    def rows(self, quantity: str) -> np.ndarray:
        """Returns the indices into `steps` at which `quantity` was measured."""
        is_sampled = quantity in self.sampled_quantities
        return np.flatnonzero(self.sampled) if is_sampled else np.arange(len(self.steps))

    def series(self, quantity: str, by: By = "layer") -> Series:
        """Returns one quantity of this block, per layer or per variable.

        Raises:
            KeyError: `quantity` was not recorded.
            ValueError: `by` is neither `"layer"` nor `"variable"`.
        """
        if quantity not in self.values:
            raise KeyError(
                f"quantity={quantity!r} was not recorded. Recorded: {sorted(self.values)}."
            )
        steps = self.steps[self.rows(quantity)]
        if by == "variable":
            names = tuple(v.path for v in self.variables)
            return Series(steps, names, self.values[quantity])
        if by == "layer":
            return Series(steps, self.layers, self._by_layer(quantity))
        raise ValueError(f'by={by!r}: expected "layer" or "variable".')

    def _by_layer(self, quantity: str) -> np.ndarray:
        if quantity in self.layer_values:
            return self.layer_values[quantity]
        return pool(self.pools[quantity], self, quantity)

    @cached_property
    def layer_index(self) -> np.ndarray:
        """Position in `layers` of each variable's layer, `int64[variables]`."""
        positions = {layer: i for i, layer in enumerate(self.layers)}
        return np.array([positions[v.layer] for v in self.variables], dtype=np.int64)

    @cached_property
    def sizes(self) -> np.ndarray:
        """Number of elements of each variable, `int64[variables]`."""
        return np.array([v.size for v in self.variables], dtype=np.int64)

    @cached_property
    def global_gradient_norm(self) -> np.ndarray:
        """Gradient norm over all recorded variables, `float64[steps]`."""
        return np.sqrt(np.sum(np.square(self.values["gradient_norm"], dtype=np.float64), axis=1))
