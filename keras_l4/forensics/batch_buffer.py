"""BatchBuffer: a snapshot of the training state, and all batches since then."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import keras
import numpy as np

from keras_l4.keras_internals import Batch, TrainingState

RngState: TypeAlias = list[np.ndarray]
"""State of the random generators that a step uses beside the model's own seed generators."""
RecordedBatch: TypeAlias = tuple[Batch, RngState]
"""A batch, and the random state before its step."""


@dataclass
class BatchBuffer:
    """Holds what is needed to replay the last steps, in bounded memory.

    Args:
        max_bytes: Maximum size of the batches, including the random states.

    Attributes:
        step: Number of steps that had run when the snapshot was taken.
        state: The snapshot; None before the first one.
        batches: Batches since the snapshot, in order.
        num_bytes: Size of `batches`.
        max_batch_bytes: Size of the largest batch that was ever added.
        epoch_starts: Positions in `batches` of the first batches of epochs.
    """

    max_bytes: int
    step: int = 0
    state: TrainingState | None = None
    batches: list[RecordedBatch] = field(default_factory=list)
    num_bytes: int = 0
    max_batch_bytes: int = 0
    epoch_starts: list[int] = field(default_factory=list)

    def restart(self, step: int, state: TrainingState, num_prefetched: int) -> None:
        """Replaces the snapshot and removes the batches before it.

        Args:
            step: Number of steps that have run.
            state: The new snapshot.
            num_prefetched: Number of batches at the end of `batches` whose step has not run yet.
        """
        self.step, self.state = step, state
        num_done = len(self.batches) - num_prefetched
        self.batches = self.batches[num_done:]
        self.num_bytes = sum(map(_num_bytes, self.batches))
        self.epoch_starts = [i - num_done for i in self.epoch_starts if i >= num_done]

    def begin_epoch(self) -> None:
        """Marks the next batch as the first of an epoch."""
        self.epoch_starts.append(len(self.batches))

    def add(self, batch: Batch, rng_state: RngState) -> None:
        """Appends the batch of the next step.

        Raises:
            TypeError: The batch contains something else than dense arrays of numbers or strings.
            ValueError: The batch alone is larger than `max_bytes`.
        """
        for leaf in keras.tree.flatten(batch):
            _check_leaf(leaf)
        size = _num_bytes((batch, rng_state))
        if size > self.max_bytes:
            raise ValueError(
                f"A batch and its random state take {size} bytes, more than "
                f"max_bytes={self.max_bytes}, so no step can be replayed. Pass a larger max_bytes to "
                "FlightRecorder."
            )
        self.batches.append((batch, rng_state))
        self.num_bytes += size
        self.max_batch_bytes = max(self.max_batch_bytes, size)

    def has_room_for(self, num_batches: int) -> bool:
        """Returns True if that many more batches fit, even if all are as large as the largest."""
        return self.num_bytes + num_batches * self.max_batch_bytes <= self.max_bytes


def _check_leaf(leaf: Any) -> None:
    if leaf is not None and not (isinstance(leaf, np.ndarray) and not leaf.dtype.hasobject):
        raise TypeError(
            f"A batch contains a {type(leaf).__name__}; expected dense arrays of numbers or strings, "
            "so no step can be replayed. Convert the data before fit, for instance with "
            "ragged.to_tensor()."
        )


def _num_bytes(batch: RecordedBatch) -> int:
    return sum(x.nbytes for x in keras.tree.flatten(batch) if x is not None)
