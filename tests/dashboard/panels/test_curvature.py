from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.dashboard.conftest import Serve, write
from tests.dashboard.unpacking import unpack
from tests.rules.curvatures import HEALTHY
from tests.rules.records import block

RUN = "a/diagnostics"


def test_measurements_over_steps(tmp_path: Path, serve: Serve) -> None:
    saddle = replace(HEALTHY, step=100, epoch=10, kind="saddle", smallest=-5.0, sharpness=np.nan)
    write(tmp_path / RUN, [block(num_steps=100), saddle])
    write(tmp_path / RUN, [later(101, 200, iterations=100), HEALTHY])
    told = serve().json("curvature", run=RUN)
    assert (told["first_step"], told["last_step"]) == (1, 200)
    assert (told["steps"], told["epochs"]) == ([100, 200], [10, 20])
    assert told["kinds"] == ["saddle", "descending"]
    assert told["is_lower_bound"] == [False, False]
    numbers = {name: unpack(values).tolist() for name, values in told["numbers"].items()}
    assert (numbers["smallest"], numbers["threshold"]) == ([-5, -0.1], [20, 20])
    assert np.isnan(numbers["sharpness"][0])


def later(first: int, last: int, iterations: int) -> object:
    made = block(num_steps=last - first + 1)
    return replace(made, steps=made.steps + first - 1, iterations=made.steps - 1 + iterations)


def test_what_a_resumed_run_did_over_again_is_left_out(tmp_path: Path, serve: Serve) -> None:
    notes = [replace(HEALTHY, step=step) for step in (50, 100, 150)]
    write(tmp_path / RUN, [block(num_steps=100), *notes[:2]])
    write(tmp_path / RUN, [later(101, 150, iterations=60), notes[2]])
    assert serve().json("curvature", run=RUN)["steps"] == [50, 150]


def test_run_without_measurements(tmp_path: Path, serve: Serve) -> None:
    write(tmp_path / RUN, [block()])
    told = serve().json("curvature", run=RUN)
    assert told["steps"] == []
    assert told["last_step"] == 200
