"""Ring buffers hold every row until it is read, within a memory budget."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_l4.optimizers import instrument
from keras_l4.recorder.capacity import RingCapacity
from keras_l4.recorder.config import RecorderConfig
from keras_l4.session.read_schedule import ReadSchedule

pytestmark = pytest.mark.any_backend

SMALL, LARGE = [(4, 4)] * 2, [(100, 100)] * 500


def capacity_for(shapes: list[tuple[int, ...]], **config: int) -> RingCapacity:
    optimizer = keras.optimizers.Adam()
    optimizer.build([keras.Variable(np.zeros(shape, "float32")) for shape in shapes])
    return instrument(optimizer, RecorderConfig(**config)).recorder.capacity


def test_small_model_is_read_every_1024_steps() -> None:
    assert capacity_for(SMALL) == RingCapacity(flush_every=1024, rows=1026, samples=103)


def test_large_model_has_the_smallest_buffers() -> None:
    assert capacity_for(LARGE) == RingCapacity(flush_every=64, rows=66, samples=1)


def test_flush_every_sets_the_capacity() -> None:
    assert capacity_for(LARGE, flush_every=300).rows == 302
    assert capacity_for(SMALL, flush_every=3, every=2).samples == 3


def test_buffers_hold_two_executions_more() -> None:
    capacity = capacity_for(LARGE, steps_per_execution=1000, every=7)
    assert capacity.rows == capacity.flush_every + 2000
    assert capacity.samples == 143


@pytest.mark.parametrize("steps_per_execution", [1, 3, 7, 20])
@pytest.mark.parametrize("every", [1, 3, 10])
@pytest.mark.parametrize("num_spare", [0, 1, 5])
def test_samples_are_requested_before_they_are_overwritten(
    steps_per_execution: int, every: int, num_spare: int
) -> None:
    samples = -(-steps_per_execution // every) + num_spare
    capacity = RingCapacity(flush_every=10**9, rows=10**9, samples=samples)
    schedule, last_request = ReadSchedule(every, steps_per_execution), 0
    for begin in range(0, 40 * steps_per_execution, steps_per_execution):
        if schedule.are_samples_due(capacity, num_read=0):
            schedule.mark_samples_requested()
            last_request = begin
        schedule.begin_execution()
        unread = range(last_request, begin + steps_per_execution)
        assert sum(step % every == 0 for step in unread) <= capacity.samples


def test_samples_are_requested_no_more_often_than_needed() -> None:
    capacity = RingCapacity(flush_every=100, rows=102, samples=5)
    schedule, num_requests = ReadSchedule(10, 1), 0
    for _ in range(1000):
        if schedule.are_samples_due(capacity, num_read=0):
            schedule.mark_samples_requested()
            num_requests += 1
        schedule.begin_execution()
    assert num_requests == 1000 // 10 // 5
