"""Calendar: where in the run a call of the optimizer was."""

from __future__ import annotations

import numpy as np


class StepIndex:
    """Numbers steps, and finds their epoch, batch and loss.

    Args:
        first_step: Number of the step that the next row is.
        first_row: Number of that row since the recorder was made.
    """

    def __init__(self, first_step: int, first_row: int) -> None:
        self._offset = first_step - first_row
        self._calls_at_begin: list[int] = []
        self._epochs: list[int] = []
        self._loss: dict[tuple[int, int], float] = {}

    def begin_epoch(self, epoch: int, calls: int) -> None:
        """Epoch `epoch` begins after `calls` calls of the optimizer."""
        self._calls_at_begin.append(calls)
        self._epochs.append(epoch)

    def note_loss(self, batch: int, loss: float) -> None:
        """Keras showed this loss after this batch of the epoch that runs."""
        self._loss[self._epochs[-1], batch] = loss

    def steps(self, rows: np.ndarray) -> np.ndarray:
        return rows.astype(np.int64) + self._offset

    def epochs_and_batches(self, calls: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        begins = np.array(self._calls_at_begin, dtype=np.int64)
        which = np.searchsorted(begins, calls, side="right") - 1
        return np.array(self._epochs, dtype=np.int64)[which], calls - begins[which]

    def losses(self, epochs: np.ndarray, batches: np.ndarray) -> np.ndarray:
        places = zip(epochs.tolist(), batches.tolist(), strict=True)
        return np.array([self._loss.pop(place, np.nan) for place in places])
