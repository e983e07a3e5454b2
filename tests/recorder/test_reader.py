"""A read returns the rows of its request, whatever is recorded in between."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from keras_l4.optimizers import instrument
from keras_l4.recorder.config import RecorderConfig
from keras_l4.recorder.reader import Reader, RingSlice


class Run:
    """An optimizer whose steps have the gradients 1, 2, 3, and so on; the ring buffers are small."""

    def __init__(self) -> None:
        self.optimizer, self._steps = keras.optimizers.Adam(), 0
        self.optimizer.build([keras.Variable(np.ones(4, "float32"))])
        instrument(self.optimizer, RecorderConfig(every=1, flush_every=6))
        self.reader = Reader(self.optimizer.recorder)

    def go(self, steps: int) -> None:
        for _ in range(steps):
            self._steps += 1
            self.optimizer.apply([keras.ops.full((4,), self._steps, "float32")])

    def read(self) -> list[float]:
        """Reads, and returns the gradient of each row: half the norm, since it has four elements."""
        ring_slice = self.reader.read()
        return [] if ring_slice is None else self.numbers(ring_slice)

    def numbers(self, ring_slice: RingSlice) -> list[float]:
        [sample] = ring_slice.sampled.samples
        assert np.isfinite(sample).all()
        norms = ring_slice.per_step["gradient_norm"][:, 0]
        return (norms / 2).tolist()


def test_requested_rows_are_read_first() -> None:
    run = Run()
    run.go(3)
    run.reader.request()
    run.go(2)

    assert run.reader.has_pending_request
    assert run.read() == [1, 2, 3]
    assert not run.reader.has_pending_request
    assert run.read() == [4, 5]
    assert run.read() == []


def test_requested_rows_may_be_overwritten_before_they_are_read() -> None:
    run = Run()
    run.go(6)
    run.reader.request()
    run.go(6)

    assert run.read() == [1, 2, 3, 4, 5, 6]
    assert run.read() == [7, 8, 9, 10, 11, 12]


def test_samples_may_be_requested_between_reads() -> None:
    run = Run()
    run.go(3)
    run.reader.request()
    for _ in range(3):
        run.go(2)
        run.reader.request_samples()

    assert run.read() == [1, 2, 3]
    assert run.read() == [4, 5, 6, 7, 8, 9]


@pytest.mark.parametrize("lost", [1, 5])
def test_rows_that_were_overwritten_before_a_request_are_counted(lost: int) -> None:
    run = Run()
    run.go(2)
    run.reader.request()
    run.go(run.optimizer.recorder.capacity.rows + lost)

    assert run.read() == [1, 2]
    ring_slice: Any = run.reader.read()
    assert (ring_slice.first_row, ring_slice.num_lost_rows) == (2 + lost, lost)
