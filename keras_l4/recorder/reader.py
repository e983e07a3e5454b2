"""Reader: copies new rows from a recorder's ring buffers to the host."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from keras_l4 import backend
from keras_l4.recorder.layout import INTEGER_COLUMNS, SCALARS, Layout
from keras_l4.recorder.recorder import SAMPLED_POSITION, Recorder
from keras_l4.recorder.step_table import StepTable

PendingCopy: TypeAlias = Callable[[], list[np.ndarray]]
"""Waits for an asynchronous copy and returns it: the ring buffers as of the request."""
Columns: TypeAlias = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class RingSlice:
    """The rows of one read.

    Attributes:
        first_row: Number of the first row since the recorder was made, from 0.
        index: Integers per row by name in `INTEGER_COLUMNS`, `int64[rows]`.
        scalars: Floats per row by name in `SCALARS`, `float64[rows]`.
        per_step: The quantities that are measured on every step, for all rows.
        sampled: All measured quantities, for the sampled rows.
        gradient_samples: Per variable a sample of the gradient, `float32[sampled rows, sample]`;
            empty if gradients are not sampled.
        num_lost_rows: Rows that were overwritten before they were read.
    """

    first_row: int
    index: Columns
    scalars: Columns
    per_step: StepTable
    sampled: StepTable
    gradient_samples: list[np.ndarray]
    num_lost_rows: int


@dataclass
class Reader:
    """Reads each row of a recorder once.

    Attributes:
        num_calls: Calls of the optimizer at the last read.
        num_rows: Rows that were read or discarded.
        num_sampled: Rows of samples that were read or discarded.

    Args:
        recorder: The recorder.
    """

    recorder: Recorder
    num_calls: int = 0
    num_rows: int = 0
    num_sampled: int = 0
    _samples: dict[int, np.ndarray] = field(default_factory=dict)
    # Each list has at most one request. `read` and `_receive_samples` remove it before waiting,
    # because waiting may raise.
    _rows_requests: list[PendingCopy] = field(default_factory=list)
    _samples_requests: list[PendingCopy] = field(default_factory=list)

    def discard_unread(self) -> None:
        """Marks all rows so far as read."""
        counters = backend.ring_buffer.read(self.recorder.counters)
        self.num_calls, self.num_rows, self.num_sampled = map(int, counters)

    @property
    def has_pending_request(self) -> bool:
        """True if rows were requested and are not read yet."""
        return bool(self._rows_requests)

    def request(self) -> None:
        """Starts an asynchronous device-to-host copy of all unread rows."""
        self.request_samples()
        rings = [self.recorder.counters, self.recorder.floats, self.recorder.integers]
        self._rows_requests = [backend.ring_buffer.read_async(rings)]

    def request_samples(self) -> None:
        """Starts copying the sample buffer, which holds fewer steps than the row buffers."""
        self._receive_samples()
        rings = [self.recorder.counters, self.recorder.samples]
        self._samples_requests = [backend.ring_buffer.read_async(rings)]

    def read(self) -> RingSlice | None:
        """Returns the requested rows, or else all rows so far; None if there are none."""
        if not self._rows_requests:
            self.request()
        counters, floats, integers = self._rows_requests.pop()()
        self.num_calls, num_rows, num_sampled = map(int, counters)
        if num_rows == self.num_rows:
            return None
        if num_sampled > self.num_sampled:
            self._receive_samples()
        capacity = self.recorder.capacity.rows
        first_row = max(self.num_rows, num_rows - capacity)
        num_lost_rows = first_row - self.num_rows
        rows = np.arange(first_row, num_rows) % capacity
        self.num_rows = num_rows
        return self._ring_slice(
            first_row, num_lost_rows, floats[rows], integers[rows].astype(np.int64), num_sampled
        )

    def _receive_samples(self) -> None:
        """Stores the requested samples on the host until their rows are read."""
        if not self._samples_requests:
            return
        counters, samples = self._samples_requests.pop()()
        num_sampled = int(counters[SAMPLED_POSITION])
        capacity = self.recorder.capacity.samples
        for number in range(max(self.num_sampled, num_sampled - capacity), num_sampled):
            self._samples[number] = samples[number % capacity]
        self.num_sampled = max(self.num_sampled, num_sampled)

    def _ring_slice(
        self,
        first_row: int,
        num_lost_rows: int,
        floats: np.ndarray,
        integers: np.ndarray,
        num_sampled: int,
    ) -> RingSlice:
        layout = self.recorder.layout
        index = dict(zip(INTEGER_COLUMNS, integers.T, strict=False))
        per_step, scalars, sampled = _split_floats(layout, floats)
        per_step |= _count_columns(layout, integers)
        is_sampled = np.flatnonzero(index["is_sampled"])
        samples = self._pop_samples(range(num_sampled - len(is_sampled), num_sampled))
        kinds = [samples[: len(layout.variables)], samples[len(layout.variables) :]]
        moments = kinds.pop(0) if layout.samples_second_moments else []
        return RingSlice(
            first_row=first_row,
            index=index,
            scalars=scalars,
            per_step=self._table(per_step, index, scalars, []),
            sampled=self._table(
                _select_rows(per_step | sampled, is_sampled),
                _select_rows(index, is_sampled),
                _select_rows(scalars, is_sampled),
                moments,
            ),
            gradient_samples=kinds[0] if layout.samples_gradients else [],
            num_lost_rows=num_lost_rows,
        )

    def _table(
        self, values: Columns, index: Columns, scalars: Columns, samples: list[np.ndarray]
    ) -> StepTable:
        return StepTable(
            rate=self.recorder.rate,
            learning_rate=scalars["learning_rate"],
            t=index["iterations"] + 1,
            values=values,
            samples=samples,
            layer_index=self.recorder.layout.layer_index,
        )

    def _pop_samples(self, numbers: range) -> list[np.ndarray]:
        """Returns `[rows, sample]` per kind and variable; NaN if a sample was overwritten."""
        layout = self.recorder.layout
        overwritten = np.full(layout.sample_width, np.nan, np.float32)
        samples = np.array([self._samples.pop(number, overwritten) for number in numbers])
        samples = samples.reshape(len(numbers), layout.sample_width)
        ends = np.cumsum(np.tile(layout.sample_sizes, layout.num_sample_kinds))
        return np.split(samples, ends[:-1], axis=1) if layout.num_sample_kinds else []


def _split_floats(
    layout: Layout, floats: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Returns the columns of per-step quantities, of scalars and of sampled quantities, by name."""
    begin = len(layout.variables) * len(layout.per_step_quantities)
    end = begin + len(SCALARS)
    per_step, scalars, sampled = np.split(floats, [begin, end], axis=1)
    return (
        _columns([q.name for q in layout.per_step_quantities], per_step),
        dict(zip(SCALARS, scalars.T.astype(np.float64), strict=True)),
        _columns([q.name for q in layout.sampled_quantities], sampled),
    )


def _count_columns(layout: Layout, integers: np.ndarray) -> dict[str, np.ndarray]:
    return _columns([q.name for q in layout.count_quantities], integers[:, len(INTEGER_COLUMNS) :])


def _columns(names: list[str], values: np.ndarray) -> dict[str, np.ndarray]:
    """Splits `[rows, len(names) * variables]` into name and `[rows, variables]`."""
    return dict(zip(names, np.split(values, max(1, len(names)), axis=1), strict=False))


def _select_rows(columns: Columns, rows: np.ndarray) -> dict[str, np.ndarray]:
    return {name: values[rows] for name, values in columns.items()}
