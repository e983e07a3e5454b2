from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keras_l4 import load
from tests.dashboard.conftest import Serve, sampled, write
from tests.dashboard.unpacking import unpack
from tests.rules.records import block

RUN = "a/diagnostics"
DEPTH = 4


@pytest.fixture
def log_dir(tmp_path: Path) -> Path:
    """NaN and Inf here and there, and zeros."""
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
    """Bin by bin, in plain loops."""
    series = load(log_dir / RUN).series(quantity)
    columns = []
    for i in range(bins["number"]):
        first = bins["first_step"] + i * bins["size"]
        rows = (series.steps >= first) & (series.steps < first + bins["size"])
        columns.append(ufunc(series.values[rows]))
    return np.array(columns).T


def finite_maximum(values: np.ndarray) -> np.ndarray:
    return np.array([max([v for v in c if np.isfinite(v)], default=np.nan) for c in values.T])


@pytest.mark.parametrize("quantity", ["gradient_norm", "update_ratio", "weight_norm"])
@pytest.mark.parametrize(("first", "last", "most"), [(0, 10**15, 1000), (11, 64, 7), (18, 18, 5)])
def test_maximum_of_each_bin(
    log_dir: Path, serve: Serve, quantity: str, first: int, last: int, most: int
) -> None:
    window = {"first_step": first, "last_step": last, "bins": most}
    told = serve().json("heat_map", run=RUN, quantity=quantity, **window)
    wanted = expected(log_dir, quantity, told["bins"], finite_maximum)
    np.testing.assert_array_equal(unpack(told["maximum"]), wanted.astype(np.float32))
    assert told["layers"] == [f"dense_{i}" for i in range(DEPTH)]
    assert told["num_missing"] == 0


def test_no_nan_and_no_inf_is_lost_in_a_bin(log_dir: Path, serve: Serve) -> None:
    told = serve().json("heat_map", run=RUN, quantity="gradient_norm", bins=100)
    assert told["bins"]["size"] == 2
    assert unpack(told["not_finite"]).tolist() == [[1, 8, 1, 0], [1, 9, 0, 1], [2, 75, 0, 1]]


def test_zoom_shows_single_steps(log_dir: Path, serve: Serve) -> None:
    wide = serve().json("heat_map", run=RUN, quantity="gradient_norm", bins=100)
    near = serve().json(
        "heat_map", run=RUN, quantity="gradient_norm", bins=100, first_step=11, last_step=90
    )
    assert (wide["bins"]["size"], near["bins"]["size"]) == (2, 1)
    assert near["bins"] == {"first_step": 11, "size": 1, "number": 80, "last_step": 90}


def test_sampled_quantity_has_no_empty_stripes(tmp_path: Path, serve: Serve) -> None:
    write(tmp_path / RUN, [sampled(block(num_steps=100), 10)])
    told = serve().json("heat_map", run=RUN, quantity="weight_norm")
    assert (told["bins"]["size"], told["num_measured"]) == (10, 10)
    assert np.isfinite(unpack(told["maximum"])).all()


def test_layer_that_the_model_did_not_have_is_no_nan(tmp_path: Path, serve: Serve) -> None:
    later = block(depth=3, num_steps=10)
    write(tmp_path / RUN, [block(depth=2, num_steps=10)])
    steps = later.steps + 10
    write(tmp_path / RUN, [replace(later, steps=steps, iterations=steps - 1)])
    told = serve().json("heat_map", run=RUN, quantity="gradient_norm")
    maximum = unpack(told["maximum"])
    assert np.isnan(maximum[2, :10]).all()
    assert np.isfinite(maximum[2, 10:]).all()
    assert not len(unpack(told["not_finite"]))


def test_cells_are_bounded(tmp_path: Path, serve: Serve) -> None:
    write(tmp_path / RUN, [block(depth=1000, num_steps=1000)])
    told = serve().json("heat_map", run=RUN, quantity="gradient_norm", bins=1000)
    assert unpack(told["maximum"]).size <= 200_000
    assert told["bins"] == {"first_step": 1, "size": 5, "number": 200, "last_step": 1000}
