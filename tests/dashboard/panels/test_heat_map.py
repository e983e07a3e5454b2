from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keras_l4 import load
from tests.dashboard.conftest import Serve, sampled, write
from tests.dashboard.decoding import decode_array
from tests.rules.records import block

RUN = "a/diagnostics"
DEPTH = 4


@pytest.fixture
def log_dir(tmp_path: Path) -> Path:
    """A run with some NaN, Inf and zeros."""
    rng = np.random.default_rng(0)
    gradient = rng.lognormal(sigma=5, size=(200, DEPTH))
    gradient[17, 1], gradient[18, 1], gradient[150, 2], gradient[40:60, 3] = (
        np.nan,
        np.inf,
        np.inf,
        0,
    )
    write(tmp_path / RUN, [block(depth=DEPTH, gradient=gradient, ratio=rng.random((200, DEPTH)))])
    return tmp_path


def expected(log_dir: Path, quantity: str, bins: dict[str, int], ufunc: Any) -> np.ndarray:
    """Reduces bin by bin in a plain loop."""
    series = load(log_dir / RUN).series(quantity)
    columns = []
    for i in range(bins["count"]):
        first = bins["first_step"] + i * bins["size"]
        rows = (series.steps >= first) & (series.steps < first + bins["size"])
        columns.append(ufunc(series.values[rows]))
    return np.array(columns).T


def finite_maximum(values: np.ndarray) -> np.ndarray:
    return np.array([max([v for v in c if np.isfinite(v)], default=np.nan) for c in values.T])


@pytest.mark.parametrize("quantity", ["gradient_norm", "update_ratio", "weight_norm"])
@pytest.mark.parametrize(
    ("first", "last", "max_bins"), [(0, 10**15, 1000), (11, 64, 7), (18, 18, 5)]
)
def test_each_bin_shows_its_finite_maximum(
    log_dir: Path, serve: Serve, quantity: str, first: int, last: int, max_bins: int
) -> None:
    request = {"first_step": first, "last_step": last, "bins": max_bins}
    answer = serve().json("heat_map", run=RUN, quantity=quantity, **request)
    maximum = expected(log_dir, quantity, answer["bins"], finite_maximum)
    np.testing.assert_array_equal(decode_array(answer["maximum"]), maximum.astype(np.float32))
    assert answer["layers"] == [f"dense_{i}" for i in range(DEPTH)]
    assert answer["num_missing"] == 0


def test_every_nan_and_inf_is_counted_in_its_bin(log_dir: Path, serve: Serve) -> None:
    answer = serve().json("heat_map", run=RUN, quantity="gradient_norm", bins=100)
    assert answer["bins"]["size"] == 2
    assert decode_array(answer["nonfinite"]).tolist() == [
        [1, 8, 1, 0],
        [1, 9, 0, 1],
        [2, 75, 0, 1],
    ]


def test_zoom_shows_single_steps(log_dir: Path, serve: Serve) -> None:
    wide = serve().json("heat_map", run=RUN, quantity="gradient_norm", bins=100)
    near = serve().json(
        "heat_map", run=RUN, quantity="gradient_norm", bins=100, first_step=11, last_step=90
    )
    assert (wide["bins"]["size"], near["bins"]["size"]) == (2, 1)
    assert near["bins"] == {"first_step": 11, "size": 1, "count": 80, "last_step": 90}


def test_bins_of_a_sampled_quantity_are_not_empty(tmp_path: Path, serve: Serve) -> None:
    write(tmp_path / RUN, [sampled(block(num_steps=100), 10)])
    answer = serve().json("heat_map", run=RUN, quantity="weight_norm")
    assert (answer["bins"]["size"], answer["num_measured"]) == (10, 10)
    assert np.isfinite(decode_array(answer["maximum"])).all()


def test_layer_missing_in_an_earlier_segment_is_not_counted_as_nan(
    tmp_path: Path, serve: Serve
) -> None:
    later = block(depth=3, num_steps=10)
    write(tmp_path / RUN, [block(depth=2, num_steps=10)])
    steps = later.steps + 10
    write(tmp_path / RUN, [replace(later, steps=steps, iterations=steps - 1)])
    answer = serve().json("heat_map", run=RUN, quantity="gradient_norm")
    maximum = decode_array(answer["maximum"])
    assert np.isnan(maximum[2, :10]).all()
    assert np.isfinite(maximum[2, 10:]).all()
    assert not len(decode_array(answer["nonfinite"]))


def test_number_of_cells_is_limited(tmp_path: Path, serve: Serve) -> None:
    write(tmp_path / RUN, [block(depth=1000, num_steps=1000)])
    answer = serve().json("heat_map", run=RUN, quantity="gradient_norm", bins=1000)
    assert decode_array(answer["maximum"]).size <= 200_000
    assert answer["bins"] == {"first_step": 1, "size": 5, "count": 200, "last_step": 1000}
