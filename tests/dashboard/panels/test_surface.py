from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.dashboard.conftest import Serve, write
from tests.dashboard.decoding import decode_array
from tests.rules.curvatures import BOWL
from tests.rules.records import block

RUN = "a/diagnostics"


def test_returns_the_last_slice(tmp_path: Path, serve: Serve) -> None:
    first = block(num_steps=100)
    rest = replace(first, steps=first.steps + 100, iterations=first.steps + 99)
    broken = replace(BOWL, loss=((np.nan, np.inf), (1.0, 2.0)), multiples=(-1.0, 1.0))
    write(tmp_path / RUN, [first, replace(BOWL, step=100), rest, broken])
    answer = serve().json("surface", run=RUN)["surface"]
    assert (answer["step"], answer["epoch"], answer["directions"]) == (200, 20, "hessian")
    np.testing.assert_array_equal(decode_array(answer["loss"]), [[np.nan, np.inf], [1, 2]])
    assert decode_array(answer["multiples"]).tolist() == [-1, 1]
    np.testing.assert_array_equal(decode_array(answer["path"]), BOWL.path)
    np.testing.assert_array_equal(decode_array(answer["path_loss"]), BOWL.path_loss)
    assert answer["path_steps"] == [0, 100, 200]
    assert answer["unknown_filters"] == ["own/kernel"]


def test_run_without_a_slice_returns_null(tmp_path: Path, serve: Serve) -> None:
    write(tmp_path / RUN, [block()])
    assert serve().json("surface", run=RUN) == {"surface": None}
