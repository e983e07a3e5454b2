from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.dashboard.conftest import Serve, write
from tests.dashboard.unpacking import unpack
from tests.rules.curvatures import BOWL
from tests.rules.records import block

RUN = "a/diagnostics"


def test_the_last_slice(tmp_path: Path, serve: Serve) -> None:
    part = block(num_steps=100)
    rest = replace(part, steps=part.steps + 100, iterations=part.steps + 99)
    broken = replace(BOWL, loss=((np.nan, np.inf), (1.0, 2.0)), multiples=(-1.0, 1.0))
    write(tmp_path / RUN, [part, replace(BOWL, step=100), rest, broken])
    told = serve().json("surface", run=RUN)["surface"]
    assert (told["step"], told["epoch"], told["directions"]) == (200, 20, "hessian")
    np.testing.assert_array_equal(unpack(told["loss"]), [[np.nan, np.inf], [1, 2]])
    assert unpack(told["multiples"]).tolist() == [-1, 1]
    np.testing.assert_array_equal(unpack(told["path"]), BOWL.path)
    np.testing.assert_array_equal(unpack(told["path_loss"]), BOWL.path_loss)
    assert told["path_steps"] == [0, 100, 200]
    assert told["unknown_filters"] == ["own/kernel"]


def test_run_without_a_slice(tmp_path: Path, serve: Serve) -> None:
    write(tmp_path / RUN, [block()])
    assert serve().json("surface", run=RUN) == {"surface": None}
