from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.dashboard.conftest import Serve, write
from tests.dashboard.decoding import decode_array
from tests.rules.curvatures import HEALTHY
from tests.rules.records import block

RUN = "a/diagnostics"


def test_measurements_of_all_segments_are_returned(tmp_path: Path, serve: Serve) -> None:
    saddle = replace(HEALTHY, step=100, epoch=10, kind="saddle", smallest=-5.0, sharpness=np.nan)
    write(tmp_path / RUN, [block(num_steps=100), saddle])
    write(tmp_path / RUN, [later(101, 200, iterations=100), HEALTHY])
    answer = serve().json("curvature", run=RUN)
    assert (answer["first_step"], answer["last_step"]) == (1, 200)
    assert (answer["steps"], answer["epochs"]) == ([100, 200], [10, 20])
    assert answer["kinds"] == ["saddle", "descending"]
    assert answer["is_lower_bound"] == [False, False]
    numbers = {name: decode_array(values).tolist() for name, values in answer["numbers"].items()}
    assert (numbers["smallest"], numbers["threshold"]) == ([-5, -0.1], [20, 20])
    assert np.isnan(numbers["sharpness"][0])


def later(first: int, last: int, iterations: int) -> object:
    """Steps `first` to `last`, of a run resumed at `iterations`."""
    steps = block(num_steps=last - first + 1)
    return replace(steps, steps=steps.steps + first - 1, iterations=steps.steps - 1 + iterations)


def test_measurements_at_superseded_steps_are_left_out(tmp_path: Path, serve: Serve) -> None:
    measurements = [replace(HEALTHY, step=step) for step in (50, 100, 150)]
    write(tmp_path / RUN, [block(num_steps=100), *measurements[:2]])
    write(tmp_path / RUN, [later(101, 150, iterations=60), measurements[2]])
    assert serve().json("curvature", run=RUN)["steps"] == [50, 150]


def test_run_without_measurements_has_an_empty_list(tmp_path: Path, serve: Serve) -> None:
    write(tmp_path / RUN, [block()])
    answer = serve().json("curvature", run=RUN)
    assert answer["steps"] == []
    assert answer["last_step"] == 200
