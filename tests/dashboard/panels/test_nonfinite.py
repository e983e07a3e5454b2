from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.dashboard.conftest import Serve, write
from tests.dashboard.unpacking import unpack
from tests.rules.records import WIDTH, block

RUN = "a/diagnostics"


def test_sightings_by_variable_and_bin(tmp_path: Path, serve: Serve) -> None:
    gradient = np.full((200, 3), 0.1)
    gradient[[4, 5, 100], 1], gradient[7, 2] = np.nan, np.inf
    write(tmp_path / RUN, [block(gradient=gradient)])
    told = serve().json("nonfinite", run=RUN, bins=100)
    assert told["variables"] == [f"dense_{i}/{name}" for i in (1, 2) for name in ("kernel", "bias")]
    assert told["num_sightings"] == 8
    assert [cell for cell in unpack(told["cells"]).tolist() if cell[0] == 0] == [
        [0, 2, 2, 2 * WIDTH, 0, 0, 5],
        [0, 50, 1, WIDTH, 0, 0, 101],
    ]
    assert [3, 3, 1, 0, WIDTH, 0, 8] in unpack(told["cells"]).tolist()


def test_zoom_keeps_the_rows(tmp_path: Path, serve: Serve) -> None:
    gradient = np.full((200, 3), 0.1)
    gradient[4, 1], gradient[150, 0] = np.nan, np.nan
    write(tmp_path / RUN, [block(gradient=gradient)])
    told = serve().json("nonfinite", run=RUN, first_step=1, last_step=100)
    assert len(told["variables"]) == 4
    assert {cell[0] for cell in unpack(told["cells"]).tolist()} == {2, 3}


def test_overflow_is_no_inf(tmp_path: Path, serve: Serve) -> None:
    made = block(gradient=0.1)
    norms = made.values["gradient_norm"].copy()
    norms[9, 0] = np.inf
    write(tmp_path / RUN, [replace(made, values={**made.values, "gradient_norm": norms})])
    told = serve().json("nonfinite", run=RUN)
    assert unpack(told["cells"]).tolist() == [[0, 9, 1, 0, 0, 1, 10]]


def test_loss_scale_and_skipped_steps(tmp_path: Path, serve: Serve) -> None:
    made = block()
    skipped = np.isin(made.steps, [3, 4, 9])
    write(tmp_path / RUN, [replace(made, loss_scale=1024.0 / made.steps, skipped=skipped)])
    told = serve().json("nonfinite", run=RUN, bins=100)
    assert told["is_scaled"]
    assert unpack(told["num_skipped"])[:6].tolist() == [0, 2, 0, 0, 1, 0]
    np.testing.assert_allclose(unpack(told["loss_scale"]), 1024 / made.steps[1::2], rtol=1e-6)


def test_finite_run(tmp_path: Path, serve: Serve) -> None:
    write(tmp_path / RUN, [block()])
    told = serve().json("nonfinite", run=RUN)
    assert (told["variables"], told["num_sightings"], told["is_scaled"]) == ([], 0, False)
    assert told["is_counted"]


def test_counts_that_were_not_taken_are_not_zero(tmp_path: Path, serve: Serve) -> None:
    made = block()
    values = {n: v for n, v in made.values.items() if n not in ("nan_count", "inf_count")}
    write(tmp_path / RUN, [replace(made, values=values)])
    assert not serve().json("nonfinite", run=RUN)["is_counted"]
