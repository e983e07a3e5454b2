"""Assembly: from the rows that were read to the `StepBlock` that everybody gets."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from keras_l4.quantities import SAMPLED, Derived, Quantity
from keras_l4.recorder.layout import Layout
from keras_l4.recorder.reader import RingSlice
from keras_l4.records.block import SKIPPED_BY_GUARD, StepBlock


class StepIndex(Protocol):
    """Knows where in the run a call of the optimizer was."""

    def steps(self, rows: np.ndarray) -> np.ndarray:
        """Step numbers of these rows."""

    def epochs_and_batches(self, calls: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Epoch and batch of these calls."""

    def losses(self, epochs: np.ndarray, batches: np.ndarray) -> np.ndarray:
        """The loss that Keras showed at these batches; NaN where it showed none."""


def _call(what: str, action: Callable[[], Any]) -> Any:
    return action()


def assemble(
    optimizer: str,
    layout: Layout,
    chunk: RingSlice,
    calendar: StepIndex,
    attempt: Callable[[str, Callable[[], Any]], Any] = _call,
) -> StepBlock:
    """Computes the derived quantities, and numbers the steps.

    Args:
        optimizer: Name of the optimizer.
        layout: What the chunk holds.
        chunk: What was read.
        calendar: Where in the run it was.
        attempt: Called with a name and what computes a quantity; one for which it returns None
            is left out.
    """
    epochs, batches = calendar.epochs_and_batches(chunk.index["calls"])
    public = [q for q in layout.quantities if not q.name.startswith("_")]
    computed = {
        q: attempt(f"computing {q.name}", functools.partial(_computed, q, chunk)) for q in public
    }
    done = {q: pair for q, pair in computed.items() if pair is not None}
    return StepBlock(
        optimizer=optimizer,
        variables=layout.variables,
        steps=calendar.steps(chunk.first + np.arange(len(epochs))),
        iterations=chunk.index["iterations"],
        epochs=epochs,
        batches=batches,
        learning_rate=chunk.clock["learning_rate"],
        loss_scale=chunk.clock["loss_scale"],
        skipped=chunk.index["skipped"] > 0,
        held=chunk.index["skipped"] == SKIPPED_BY_GUARD,
        loss=calendar.losses(epochs, batches),
        sampled=chunk.index["looked"].astype(bool),
        values={q.name: values for q, (values, _) in done.items()},
        layer_values={q.name: layers for q, (_, layers) in done.items() if layers is not None},
        pools={q.name: q.pool for q in done},
        sampled_quantities=frozenset(q.name for q in done if q.when == SAMPLED),
    )


def _computed(quantity: Quantity, chunk: RingSlice) -> tuple[np.ndarray, np.ndarray | None]:
    return _values(quantity, chunk), _layer_values(quantity, chunk)


def _values(quantity: Quantity, chunk: RingSlice) -> np.ndarray:
    rows = chunk.looked if quantity.when == SAMPLED else chunk.every_step
    return quantity.derive(rows) if isinstance(quantity, Derived) else rows[quantity.name]


def _layer_values(quantity: Quantity, chunk: RingSlice) -> np.ndarray | None:
    return quantity.derive_layers(chunk.looked) if isinstance(quantity, Derived) else None
