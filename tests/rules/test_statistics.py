"""Compares the statistics with NumPy, column by column."""

from __future__ import annotations

import numpy as np
import pytest

from keras_l4.rules._statistics import finite_median


@pytest.mark.parametrize("rows", [1, 2, 7, 8])
def test_finite_median_ignores_nonfinite_values(rows: int) -> None:
    rng = np.random.default_rng(rows)
    values = rng.normal(size=(rows, 40))
    values[rng.random(values.shape) < 0.4] = rng.choice([np.nan, np.inf, -np.inf])
    values[:, 0] = np.nan

    found = finite_median(values)

    for column, value in zip(values.T, found, strict=True):
        finite = column[np.isfinite(column)]
        assert value == np.median(finite) if len(finite) else np.isnan(value)


def test_finite_median_of_no_rows_is_nan() -> None:
    assert np.isnan(finite_median(np.empty((0, 3)))).tolist() == [True] * 3
