"""The rings hold what nobody read yet, and no more memory than is said."""

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


def room_for(shapes: list[tuple[int, ...]], **settings: int) -> RingCapacity:
    optimizer = keras.optimizers.Adam()
    optimizer.build([keras.Variable(np.zeros(shape, "float32")) for shape in shapes])
    return instrument(optimizer, RecorderConfig(**settings)).recorder.room


def test_a_small_model_is_read_seldom() -> None:
    assert room_for(SMALL) == RingCapacity(flush_every=1024, rows=1026, samples=103)


def test_a_large_model_takes_no_more_than_it_must() -> None:
    assert room_for(LARGE) == RingCapacity(flush_every=64, rows=66, samples=1)


def test_whoever_says_how_often_is_obeyed() -> None:
    assert room_for(LARGE, flush_every=300).rows == 302
    assert room_for(SMALL, flush_every=3, every=2).samples == 3


def test_an_execution_finds_room_whatever_it_takes() -> None:
    found = room_for(LARGE, steps_per_execution=1000, every=7)
    assert found.rows == found.flush_every + 2000
    assert found.samples == 143


@pytest.mark.parametrize("at_once", [1, 3, 7, 20])
@pytest.mark.parametrize("every", [1, 3, 10])
@pytest.mark.parametrize("more", [0, 1, 5])
def test_samples_are_asked_for_before_they_are_overwritten(
    at_once: int, every: int, more: int
) -> None:
    at_least = -(-at_once // every)
    held = RingCapacity(flush_every=10**9, rows=10**9, samples=at_least + more)
    pace, asked = ReadSchedule(every, at_once), 0
    for begin in range(0, 40 * at_once, at_once):
        if pace.are_samples_due(held, num_read=0):
            pace.note_sampling()
            asked = begin
        pace.begin_execution()
        looks = [step for step in range(asked, begin + at_once) if step % every == 0]
        assert len(looks) <= held.samples


def test_samples_are_asked_for_no_more_often_than_needed() -> None:
    held, pace, times = RingCapacity(flush_every=100, rows=102, samples=5), ReadSchedule(10, 1), 0
    for _ in range(1000):
        if pace.are_samples_due(held, num_read=0):
            pace.note_sampling()
            times += 1
        pace.begin_execution()
    assert times == 1000 // 10 // 5
