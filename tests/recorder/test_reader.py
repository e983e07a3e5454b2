"""What is asked for is what is read, whatever is recorded in between."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from keras_l4.optimizers import instrument
from keras_l4.recorder.config import RecorderConfig
from keras_l4.recorder.reader import Reader, RingSlice


class Run:
    """An optimizer whose steps have the gradients 1, 2, 3, and so on; the ring holds few."""

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
        """Half the gradient norm, which is what each element is."""
        chunk = self.reader.read()
        return [] if chunk is None else self.numbers(chunk)

    def numbers(self, chunk: RingSlice) -> list[float]:
        [sample] = chunk.looked.samples
        assert np.isfinite(sample).all()
        norms = chunk.every_step["gradient_norm"][:, 0]
        return (norms / 2).tolist()


def test_steps_that_were_asked_for_come_first() -> None:
    run = Run()
    run.go(3)
    run.reader.ask()
    run.go(2)

    assert run.reader.has_asked
    assert run.read() == [1, 2, 3]
    assert not run.reader.has_asked
    assert run.read() == [4, 5]
    assert run.read() == []


def test_and_may_be_overwritten() -> None:
    run = Run()
    run.go(6)
    run.reader.ask()
    run.go(6)

    assert run.read() == [1, 2, 3, 4, 5, 6]
    assert run.read() == [7, 8, 9, 10, 11, 12]


def test_samples_may_be_asked_for_in_between() -> None:
    run = Run()
    run.go(3)
    run.reader.ask()
    for _ in range(3):
        run.go(2)
        run.reader.ask_for_samples()

    assert run.read() == [1, 2, 3]
    assert run.read() == [4, 5, 6, 7, 8, 9]


@pytest.mark.parametrize("lost", [1, 5])
def test_what_nobody_asked_for_in_time_is_counted(lost: int) -> None:
    run = Run()
    run.go(2)
    run.reader.ask()
    run.go(run.optimizer.recorder.room.rows + lost)

    assert run.read() == [1, 2]
    chunk: Any = run.reader.read()
    assert (chunk.first, chunk.num_lost) == (2 + lost, lost)
