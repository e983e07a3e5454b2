from __future__ import annotations

import numpy as np
import pytest

from keras_l4.callbacks.weight_trajectory import MAX_POINTS, Weights, WeightTrajectory

pytestmark = pytest.mark.any_backend


def weights(step: int) -> Weights:
    return [np.array([step])]


def after(num_points: int, end: int) -> tuple[tuple[int, ...], list[Weights]]:
    trajectory = WeightTrajectory()
    for step in range(num_points):
        trajectory.record(step, lambda step=step: weights(step))
    return trajectory.ending_at(end, weights(end))


def test_a_short_trajectory_has_all_points_and_the_end() -> None:
    steps, points = after(3, end=5)
    assert steps == (0, 1, 2, 5)
    assert [int(parts[0][0]) for parts in points] == [0, 1, 2, 5]


def test_the_end_is_in_the_trajectory_once() -> None:
    assert after(3, end=2)[0] == (0, 1, 2)
    assert after(0, end=7)[0] == (7,)


@pytest.mark.parametrize("num_points", [MAX_POINTS + 1, 1000])
def test_a_long_trajectory_is_evenly_spaced_and_bounded(num_points: int) -> None:
    steps, points = after(num_points, end=num_points)
    distances = np.diff(steps[:-1])
    assert MAX_POINTS // 2 <= len(points) <= MAX_POINTS + 1
    assert steps[0] == 0
    assert np.unique(distances).size == 1


def test_weights_that_are_not_stored_are_not_read() -> None:
    trajectory, reads = WeightTrajectory(), []
    for step in range(1000):
        trajectory.record(step, lambda step=step: reads.append(step) or weights(step))
    assert len(reads) < 5 * MAX_POINTS
