"""From the rows that were read to the `StepBlock` that everything downstream of the recorder gets."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from keras_l4.quantities import SAMPLED, DerivedQuantity, Quantity
from keras_l4.recorder.layout import Layout
from keras_l4.recorder.reader import RingSlice
from keras_l4.records.block import SKIPPED_BY_GUARD, StepBlock


class StepNumbering(Protocol):
    """Maps rows and calls of the optimizer to steps, epochs and batches of the run."""

    def steps(self, rows: np.ndarray) -> np.ndarray:
        """Returns the step numbers of these rows."""

    def epochs_and_batches(self, calls: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the epochs and batches of these calls."""

    def pop_losses(self, epochs: np.ndarray, batches: np.ndarray) -> np.ndarray:
        """Removes and returns the losses that Keras reported at these batches; NaN if it did not."""


def _call(name: str, function: Callable[[], Any]) -> Any:
    return function()


def build_block(
    optimizer: str,
    layout: Layout,
    ring_slice: RingSlice,
    numbering: StepNumbering,
    call: Callable[[str, Callable[[], Any]], Any] = _call,
) -> StepBlock:
    """Computes the derived quantities and the step numbers of the rows that were read.

    Args:
        optimizer: Name of the optimizer.
        layout: The recorded variables and quantities.
        ring_slice: The rows.
        numbering: Step numbers, epochs, batches and losses.
        call: Runs the computation of one quantity, given its name and a function. If it returns
            None, the quantity is left out: `CircuitBreaker.call` does so if the function raises.
    """
    epochs, batches = numbering.epochs_and_batches(ring_slice.index["calls"])
    public = [q for q in layout.quantities if not q.name.startswith("_")]
    results = {
        q: call(f"computing {q.name}", functools.partial(_compute, q, ring_slice)) for q in public
    }
    computed = {q: result for q, result in results.items() if result is not None}
    return StepBlock(
        optimizer=optimizer,
        variables=layout.variables,
        steps=numbering.steps(ring_slice.first_row + np.arange(len(epochs))),
        iterations=ring_slice.index["iterations"],
        epochs=epochs,
        batches=batches,
        learning_rate=ring_slice.scalars["learning_rate"],
        loss_scale=ring_slice.scalars["loss_scale"],
        skipped=ring_slice.index["skip_reason"] > 0,
        skipped_by_guard=ring_slice.index["skip_reason"] == SKIPPED_BY_GUARD,
        loss=numbering.pop_losses(epochs, batches),
        sampled=ring_slice.index["is_sampled"].astype(bool),
        values={q.name: values for q, (values, _) in computed.items()},
        layer_values={q.name: layers for q, (_, layers) in computed.items() if layers is not None},
        pools={q.name: q.pool for q in computed},
        sampled_quantities=frozenset(q.name for q in computed if q.when == SAMPLED),
    )


def _compute(quantity: Quantity, ring_slice: RingSlice) -> tuple[np.ndarray, np.ndarray | None]:
    """Returns the values per variable, and those per layer if they are not pooled from these."""
    table = ring_slice.sampled if quantity.when == SAMPLED else ring_slice.per_step
    if isinstance(quantity, DerivedQuantity):
        return quantity.derive(table), quantity.derive_layers(table)
    return table[quantity.name], None
