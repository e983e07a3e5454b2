"""Tape: the state of training some steps ago, and the batches since then."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from keras_l4.keras_internals import Batch, State

RngState = list[np.ndarray]
"""The state of the random generators from which a step draws."""


@dataclass
class BatchBuffer:
    """Enough to run the last steps again, in bounded memory.

    Args:
        max_bytes: What the batches may take, with the states of generators that go with them.

    Attributes:
        step: Number of steps that were run before the first batch.
        state: What they left.
        batches: Those since then, in order, each with what its step drew from.
        num_bytes: Of all batches that are held.
        largest: Of the largest batch that was ever added.
        epochs_begin: Positions in `batches` of those that are the first of an epoch.
    """

    max_bytes: int
    step: int = 0
    state: State | None = None
    batches: list[tuple[Batch, RngState]] = field(default_factory=list)
    num_bytes: int = 0
    largest: int = 0
    epochs_begin: list[int] = field(default_factory=list)

    def restart(self, step: int, state: State, num_ahead: int) -> None:
        """Begins anew: `step` steps were run, and left this state.

        Args:
            step: Number of the last step.
            state: What it left.
            num_ahead: Batches that were added, but not trained on yet.
        """
        self.step, self.state = step, state
        done = len(self.batches) - num_ahead
        self.batches = self.batches[done:]
        self.num_bytes = sum(map(_num_bytes, self.batches))
        self.epochs_begin = [at - done for at in self.epochs_begin if at >= done]

    def begin_epoch(self) -> None:
        """The next batch is the first of an epoch."""
        self.epochs_begin.append(len(self.batches))

    def add(self, batch: Batch, draw: RngState) -> None:
        """The next batch, and what its step draws from.

        Raises:
            TypeError: It holds something else than arrays of numbers or strings.
            ValueError: It alone is larger than `max_bytes`.
        """
        for part in keras.tree.flatten(batch):
            _check(part)
        size = _num_bytes((batch, draw))
        if size > self.max_bytes:
            raise ValueError(
                f"a batch and what its step draws from take {size} bytes, more than "
                f"max_bytes={self.max_bytes}: no step can be run again. Give FlightRecorder a "
                "larger max_bytes."
            )
        self.batches.append((batch, draw))
        self.num_bytes += size
        self.largest = max(self.largest, size)

    def is_full(self, num_more: int) -> bool:
        """Whether that many batches more, as large as those before, might not fit."""
        return self.num_bytes + num_more * self.largest > self.max_bytes


def _check(part: Any) -> None:
    if part is not None and not (isinstance(part, np.ndarray) and not part.dtype.hasobject):
        raise TypeError(
            f"a batch holds a {type(part).__name__}; expected dense arrays of numbers or strings: no "
            "step can be run again. Hand fit dense ones, such as ragged.to_tensor(), to have them."
        )


def _num_bytes(kept: tuple[Batch, RngState]) -> int:
    return sum(x.nbytes for x in keras.tree.flatten(kept) if x is not None)
