from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.dashboard.conftest import Serve, write
from tests.rules.records import block


def test_first_difference_has_step_layer_and_both_values(tmp_path: Path, serve: Serve) -> None:
    gradient = np.full((200, 3), 0.1)
    write(tmp_path / "a", [block(gradient=gradient.copy())])
    gradient[33, 2] = np.nan
    write(tmp_path / "b", [block(gradient=gradient)])
    answer = serve().json("divergence", run="a", other="b")
    assert answer["comparable"]
    difference = {"layer": "dense_2", "step": 34, "one": "0.141421", "other": "nan"}
    assert answer["first_difference"] == difference
    assert answer["first_significant_difference"] == difference


def test_run_does_not_diverge_from_itself(tmp_path: Path, serve: Serve) -> None:
    write(tmp_path / "a", [block()])
    answer = serve().json("divergence", run="a", other="a")
    assert answer == {
        "comparable": True,
        "first_difference": None,
        "first_significant_difference": None,
    }
