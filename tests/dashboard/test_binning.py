from __future__ import annotations

import numpy as np
import pytest

from keras_l4.dashboard.binning import Bins, usual_distance


@pytest.mark.parametrize("most", [1, 7, 100, 4096])
@pytest.mark.parametrize("first", [0, 1, 10**12])
def test_every_step_is_in_one_bin(first: int, most: int) -> None:
    steps = np.arange(first, first + 1003)
    bins = Bins.over(int(steps[0]), int(steps[-1]), most)
    places = bins.place(steps)
    assert bins.number <= most
    assert (places[0], places[-1]) == (0, bins.number - 1)
    assert np.bincount(places).max() <= bins.size


def test_maximum_is_that_of_the_steps_and_nan_where_there_are_none() -> None:
    steps = np.array([1, 2, 7])
    bins = Bins.over(1, 8, most=4)
    values = np.array([[1.0, 5.0], [3.0, np.nan], [2.0, 4.0]])
    expected = [[3, 5], [np.nan, np.nan], [np.nan, np.nan], [2, 4]]
    np.testing.assert_array_equal(bins.reduce(np.fmax, steps, values), expected)


def test_counts_are_0_where_there_are_none() -> None:
    counts = Bins.over(1, 4, most=2).reduce(np.add, np.array([4]), np.array([3]))
    assert counts.tolist() == [0, 3]


def test_bins_are_not_narrower_than_asked() -> None:
    assert Bins.over(1, 100, most=50, least_size=10).number == 10


@pytest.mark.parametrize(
    ("steps", "distance"), [([], 1), ([7], 1), ([1, 11, 21, 22], 10), ([1, 2, 3], 1)]
)
def test_usual_distance(steps: list[int], distance: int) -> None:
    assert usual_distance(np.array(steps)) == distance


def test_rows_are_those_in_a_bin() -> None:
    steps = np.array([1, 3, 5, 9])
    assert steps[Bins.over(3, 8, most=1).rows(steps)].tolist() == [3, 5]
    assert steps[Bins.over(3, 8, most=4).rows(steps)].tolist() == [3, 5]
    assert steps[Bins.over(3, 7, most=2).rows(steps)].tolist() == [3, 5]
    assert steps[Bins.over(3, 9, most=2).rows(steps)].tolist() == [3, 5, 9]
