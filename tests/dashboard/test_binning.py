from __future__ import annotations

import numpy as np
import pytest

from keras_l4.dashboard.binning import Bins, median_interval


@pytest.mark.parametrize("max_count", [1, 7, 100, 4096])
@pytest.mark.parametrize("first", [0, 1, 10**12])
def test_every_step_is_in_exactly_one_bin(first: int, max_count: int) -> None:
    steps = np.arange(first, first + 1003)
    bins = Bins.covering(int(steps[0]), int(steps[-1]), max_count)
    indices = bins.index_of(steps)
    assert bins.count <= max_count
    assert (indices[0], indices[-1]) == (0, bins.count - 1)
    assert np.bincount(indices).max() <= bins.size


def test_bins_without_steps_reduce_to_nan() -> None:
    steps = np.array([1, 2, 7])
    bins = Bins.covering(1, 8, max_count=4)
    values = np.array([[1.0, 5.0], [3.0, np.nan], [2.0, 4.0]])
    expected = [[3, 5], [np.nan, np.nan], [np.nan, np.nan], [2, 4]]
    np.testing.assert_array_equal(bins.reduce(np.fmax, steps, values), expected)


def test_bins_without_steps_count_zero() -> None:
    counts = Bins.covering(1, 4, max_count=2).reduce(np.add, np.array([4]), np.array([3]))
    assert counts.tolist() == [0, 3]


def test_bins_are_not_narrower_than_min_size() -> None:
    assert Bins.covering(1, 100, max_count=50, min_size=10).count == 10


@pytest.mark.parametrize(
    ("steps", "interval"), [([], 1), ([7], 1), ([1, 11, 21, 22], 10), ([1, 2, 3], 1)]
)
def test_median_interval_is_1_for_fewer_than_two_steps(steps: list[int], interval: int) -> None:
    assert median_interval(np.array(steps)) == interval


def test_rows_within_are_those_in_a_bin() -> None:
    steps = np.array([1, 3, 5, 9])
    assert steps[Bins.covering(3, 8, max_count=1).rows_within(steps)].tolist() == [3, 5]
    assert steps[Bins.covering(3, 8, max_count=4).rows_within(steps)].tolist() == [3, 5]
    assert steps[Bins.covering(3, 7, max_count=2).rows_within(steps)].tolist() == [3, 5]
    assert steps[Bins.covering(3, 9, max_count=2).rows_within(steps)].tolist() == [3, 5, 9]
