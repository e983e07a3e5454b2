"""Assembly: from the rows that were read to the `StepBlock` that everybody gets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from keras_l4.quantities import SAMPLED, Derived, Quantity
from keras_l4.recorder.block import StepBlock
from keras_l4.recorder.layout import Layout
from keras_l4.recorder.reader import Chunk


class Calendar(Protocol):
    """Knows where in the run a call of the optimizer was."""

    def steps(self, rows: np.ndarray) -> np.ndarray:
        """Step numbers of these rows."""

    def epochs_and_batches(self, calls: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Epoch and batch of these calls."""

    def losses(self, epochs: np.ndarray, batches: np.ndarray) -> np.ndarray:
        """The loss that Keras showed at these batches; NaN where it showed none."""


def assemble(optimizer: str, layout: Layout, chunk: Chunk, calendar: Calendar) -> StepBlock:
    """Computes the derived quantities, and numbers the steps."""
    epochs, batches = calendar.epochs_and_batches(chunk.index["calls"])
    public = [q for q in layout.quantities if not q.name.startswith("_")]
    return StepBlock(
        optimizer=optimizer,
        variables=layout.variables,
        steps=calendar.steps(chunk.first + np.arange(len(epochs))),
        iterations=chunk.index["iterations"],
        epochs=epochs,
        batches=batches,
        learning_rate=chunk.clock["learning_rate"],
        loss_scale=chunk.clock["loss_scale"],
        skipped=chunk.index["skipped"].astype(bool),
        loss=calendar.losses(epochs, batches),
        sampled=chunk.index["looked"].astype(bool),
        values={q.name: _values(q, chunk) for q in public},
        layer_values=_layer_values(public, chunk),
        pools={q.name: q.pool for q in public},
        sampled_quantities=frozenset(q.name for q in public if q.when == SAMPLED),
    )


def _values(quantity: Quantity, chunk: Chunk) -> np.ndarray:
    rows = chunk.looked if quantity.when == SAMPLED else chunk.every_step
    return quantity.derive(rows) if isinstance(quantity, Derived) else rows[quantity.name]


def _layer_values(quantities: list[Quantity], chunk: Chunk) -> Mapping[str, np.ndarray]:
    derived = (q for q in quantities if isinstance(q, Derived))
    values = {q.name: q.derive_layers(chunk.looked) for q in derived}
    return {name: value for name, value in values.items() if value is not None}
