"""StepBlock: the NumPy value that everything downstream of the recorder gets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

from keras_l4.records.pooling import pool

By = Literal["layer", "variable"]
# In a row: 0 for a step that was applied, 1 for one that loss scaling skipped, or this.
SKIPPED_BY_GUARD = 2


@dataclass(frozen=True)
class Variable:
    """One trainable tensor that is recorded.

    Attributes:
        path: Unique name, e.g. `"sequential/dense/kernel"`.
        layer: The path up to the last slash, e.g. `"sequential/dense"`.
        shape: Shape of the tensor.
        dtype: Name of its dtype, e.g. `"float32"`.
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
        steps: `int64[steps]`, strictly increasing.
        names: Layer or variable names, in forward order.
        values: `[steps, names]`.
    """

    steps: np.ndarray
    names: tuple[str, ...]
    values: np.ndarray


@dataclass(frozen=True)
class StepBlock:
    """Consecutive optimizer steps, as they were measured.

    Attributes:
        optimizer: Name of the optimizer.
        variables: The recorded variables, in forward order.
        steps: `int64[steps]`, step numbers from 1, strictly increasing.
        iterations: `int64[steps]`, Keras' `optimizer.iterations` as the step began.
        epochs: `int64[steps]`, epoch of each step, from 0.
        batches: `int64[steps]`, batch within the epoch, from 0.
        learning_rate: `float64[steps]`, the nominal rate of each step.
        loss_scale: `float64[steps]`, 1 without loss scaling.
        skipped: `bool[steps]`, steps that were not applied.
        held: `bool[steps]`, those of them that a `FlightRecorder` held back; loss scaling the others.
        loss: `float64[steps]`, Keras' running mean over the epoch, NaN where it was not seen.
        sampled: `bool[steps]`, steps that were looked at closely.
        values: Quantity name to `[steps, variables]`, or `[sampled steps, variables]` for
            quantities that are measured on sampled steps only.
        layer_values: The same per layer, for quantities that cannot be pooled from `values`.
        pools: Quantity name to the rule that pools variables into layers.
        sampled_quantities: Names of those that are measured on sampled steps only.
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
    held: np.ndarray
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
        """Indices into `steps` at which `quantity` was measured."""
        sampled = quantity in self.sampled_quantities
        return np.flatnonzero(self.sampled) if sampled else np.arange(len(self.steps))

    def series(self, quantity: str, by: By = "layer") -> Series:
        """One quantity of this block, per layer or per variable.

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
        """`int64[variables]`: the position in `layers` of each variable's layer."""
        order = {layer: i for i, layer in enumerate(self.layers)}
        return np.array([order[v.layer] for v in self.variables], dtype=np.int64)

    @cached_property
    def sizes(self) -> np.ndarray:
        """`int64[variables]`: number of elements of each variable."""
        return np.array([v.size for v in self.variables], dtype=np.int64)

    @cached_property
    def global_gradient_norm(self) -> np.ndarray:
        """`float64[steps]`: the norm over all recorded variables."""
        return np.sqrt(np.sum(np.square(self.values["gradient_norm"], dtype=np.float64), axis=1))
