from __future__ import annotations

import numpy as np
import pytest

from keras_l4.callbacks.weight_trajectory import MOST_MOMENTS, Trajectory, Weights

pytestmark = pytest.mark.any_backend


def weights(step: int) -> Weights:
    return [np.array([step])]


def after(num_moments: int, end: int) -> tuple[tuple[int, ...], list[Weights]]:
    trajectory = Trajectory()
    for step in range(num_moments):
        trajectory.offer(step, lambda step=step: weights(step))
    return trajectory.until(end, weights(end))


def test_it_has_all_moments_and_the_end() -> None:
    steps, kept = after(3, end=5)
    assert steps == (0, 1, 2, 5)
    assert [int(parts[0][0]) for parts in kept] == [0, 1, 2, 5]


def test_the_end_is_there_once() -> None:
    assert after(3, end=2)[0] == (0, 1, 2)
    assert after(0, end=7)[0] == (7,)


@pytest.mark.parametrize("num_moments", [MOST_MOMENTS + 1, 1000])
def test_memory_is_bounded(num_moments: int) -> None:
    steps, kept = after(num_moments, end=num_moments)
    distances = np.diff(steps[:-1])
    assert MOST_MOMENTS // 2 <= len(kept) <= MOST_MOMENTS + 1
    assert steps[0] == 0
    assert np.unique(distances).size == 1


def test_what_is_not_kept_is_not_read() -> None:
    trajectory, reads = Trajectory(), []
    for step in range(1000):
        trajectory.offer(step, lambda step=step: reads.append(step) or weights(step))
    assert len(reads) < 5 * MOST_MOMENTS
