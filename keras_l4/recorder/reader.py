"""Reader: copies what is new in a recorder's rings to the host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from keras_l4 import backend
from keras_l4.recorder.layout import CLOCK, INDEX, Layout
from keras_l4.recorder.recorder import Recorder
from keras_l4.recorder.step_table import StepTable

Copy: TypeAlias = Callable[[], list[np.ndarray]]
"""What rings held when they were asked, once the device has got that far."""


@dataclass(frozen=True)
class RingSlice:
    """Rows that were read at once.

    Attributes:
        first: Number of the first row since the recorder was made, from 0.
        index: `int64[rows, len(INDEX)]`.
        clock: `float64[rows, len(CLOCK)]`.
        every_step: What was measured on each row.
        looked: What was measured on the rows that were looked at closely.
        gradients: Per variable a sample of the gradient on each of those, `float32[looked, sample]`;
            empty where none was asked for.
        num_lost: Rows that were overwritten before they were read.
    """

    first: int
    index: dict[str, np.ndarray]
    clock: dict[str, np.ndarray]
    every_step: StepTable
    looked: StepTable
    gradients: list[np.ndarray]
    num_lost: int


@dataclass
class Reader:
    """Reads each row of a recorder once.

    Args:
        recorder: The recorder.
    """

    recorder: Recorder
    num_calls: int = 0
    num_rows: int = 0
    num_looks: int = 0
    _samples: dict[int, np.ndarray] = field(default_factory=dict)
    _asked: list[Copy] = field(default_factory=list)
    _samples_asked: list[Copy] = field(default_factory=list)

    def skip(self) -> None:
        """Takes all that is in the rings now as read."""
        self.num_calls, self.num_rows, self.num_looks = map(
            int, backend.ring_buffer.read(self._counters)
        )

    @property
    def _counters(self) -> Any:
        return self.recorder.counters

    @property
    def has_asked(self) -> bool:
        """Whether rows were asked for that are not read yet."""
        return bool(self._asked)

    def ask(self) -> None:
        """Has all that is new copied; the device need not wait for that."""
        self.ask_for_samples()
        rings = [self._counters, self.recorder.floats, self.recorder.integers]
        self._asked = [backend.ring_buffer.read_async(rings)]

    def ask_for_samples(self) -> None:
        """Has the samples copied, of which the ring holds few."""
        self._receive_samples()
        self._samples_asked = [
            backend.ring_buffer.read_async([self._counters, self.recorder.samples])
        ]

    def _receive_samples(self) -> None:
        if not self._samples_asked:
            return
        counters, held = self._samples_asked.pop()()
        looks = int(counters[2])
        capacity = self.recorder.room.samples
        for look in range(max(self.num_looks, looks - capacity), looks):
            self._samples[look] = held[look % capacity]
        self.num_looks = max(self.num_looks, looks)

    def read(self) -> RingSlice | None:
        """The rows that were asked for, or else all until now; None where there are none."""
        if not self._asked:
            self.ask()
        counters, floats, integers = self._asked.pop()()
        self.num_calls, rows, looks = map(int, counters)
        if rows == self.num_rows:
            return None
        if looks > self.num_looks:
            self._receive_samples()
        first = max(self.num_rows, rows - self.recorder.room.rows)
        lost = first - self.num_rows
        at = np.arange(first, rows) % self.recorder.room.rows
        self.num_rows = rows
        return self._chunk(first, lost, floats[at], integers[at].astype(np.int64), looks)

    def _chunk(
        self, first: int, lost: int, floats: np.ndarray, integers: np.ndarray, looks: int
    ) -> RingSlice:
        layout = self.recorder.layout
        index = dict(zip(INDEX, integers.T, strict=False))
        clock = dict(zip(CLOCK, _clock(layout, floats).T.astype(np.float64), strict=True))
        looked = np.flatnonzero(index["looked"])
        samples = self._take_samples(range(looks - len(looked), looks))
        kinds = [samples[: len(layout.variables)], samples[len(layout.variables) :]]
        moments = kinds.pop(0) if layout.with_second_moments else []
        every = _every(layout, floats) | _counts(layout, integers)
        closer = {k: v[looked] for k, v in every.items()} | _closer(layout, floats[looked])
        return RingSlice(
            first=first,
            index=index,
            clock=clock,
            every_step=self._rows(every, index, clock, []),
            looked=self._rows(
                closer,
                {k: v[looked] for k, v in index.items()},
                {k: v[looked] for k, v in clock.items()},
                moments,
            ),
            gradients=kinds[0] if layout.with_gradients else [],
            num_lost=lost,
        )

    def _rows(
        self,
        values: dict[str, np.ndarray],
        index: dict[str, np.ndarray],
        clock: dict[str, np.ndarray],
        samples: list[np.ndarray],
    ) -> StepTable:
        return StepTable(
            rate=self.recorder.rate,
            learning_rate=clock["learning_rate"],
            t=index["iterations"] + 1,
            values=values,
            samples=samples,
            layer_index=self.recorder.layout.layer_index,
        )

    def _take_samples(self, looks: range) -> list[np.ndarray]:
        """Per kind and variable, `[looks, sample]`; NaN for a sample that was overwritten."""
        layout = self.recorder.layout
        width = layout.num_samples
        nothing = np.full(width, np.nan, np.float32)
        held = np.array([self._samples.pop(look, nothing) for look in looks])
        held = held.reshape(len(looks), width)
        kinds = int(layout.with_second_moments) + int(layout.with_gradients)
        ends = np.cumsum(np.tile(layout.sample_sizes, kinds))
        return np.split(held, ends[:-1], axis=1) if kinds else []


def _columns(names: list[str], values: np.ndarray) -> dict[str, np.ndarray]:
    """`[rows, len(names) * variables]` to name and `[rows, variables]`."""
    return dict(zip(names, np.split(values, max(1, len(names)), axis=1), strict=False))


def _every(layout: Layout, floats: np.ndarray) -> dict[str, np.ndarray]:
    width = len(layout.variables) * len(layout.every)
    return _columns([q.name for q in layout.every], floats[:, :width])


def _clock(layout: Layout, floats: np.ndarray) -> np.ndarray:
    width = len(layout.variables) * len(layout.every)
    return floats[:, width : width + len(CLOCK)]


def _closer(layout: Layout, floats: np.ndarray) -> dict[str, np.ndarray]:
    width = len(layout.variables) * len(layout.every) + len(CLOCK)
    return _columns([q.name for q in layout.closer], floats[:, width:])


def _counts(layout: Layout, integers: np.ndarray) -> dict[str, np.ndarray]:
    return _columns([q.name for q in layout.counts], integers[:, len(INDEX) :])
