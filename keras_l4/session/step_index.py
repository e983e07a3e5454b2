"""StepIndex: the step number, epoch, batch and loss of each call of the optimizer."""

from __future__ import annotations

import numpy as np


class StepIndex:
    """Assigns step numbers to rows, and epochs, batches and losses to optimizer calls.

    Args:
        first_step: Step number of row `first_row`.
        first_row: Number of the next row since the recorder was created.
    """

    def __init__(self, first_step: int, first_row: int) -> None:
        self._offset = first_step - first_row
        self._first_calls: list[int] = []
        self._epochs: list[int] = []
        self._losses: dict[tuple[int, int], float] = {}

    def begin_epoch(self, epoch: int, num_calls: int) -> None:
        """Assigns all calls after the first `num_calls` to `epoch`."""
        self._first_calls.append(num_calls)
        self._epochs.append(epoch)

    def record_loss(self, batch: int, loss: float) -> None:
        """Stores the loss that Keras reported for a batch of the current epoch."""
        self._losses[self._epochs[-1], batch] = loss

    def steps(self, rows: np.ndarray) -> np.ndarray:
        """Returns the step number of each row."""
        return rows.astype(np.int64) + self._offset

    def epochs_and_batches(self, calls: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the epoch and the batch of each call."""
        first_calls = np.array(self._first_calls, dtype=np.int64)
        indices = np.searchsorted(first_calls, calls, side="right") - 1
        return np.array(self._epochs, dtype=np.int64)[indices], calls - first_calls[indices]

    def pop_losses(self, epochs: np.ndarray, batches: np.ndarray) -> np.ndarray:
        """Returns the loss of each batch and removes it; NaN if Keras reported no loss."""
        keys = zip(epochs.tolist(), batches.tolist(), strict=True)
        return np.array([self._losses.pop(key, np.nan) for key in keys])
