from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.dashboard.conftest import Serve, write
from tests.dashboard.decoding import decode_array
from tests.rules.records import WIDTH, block

RUN = "a/diagnostics"


def test_occurrences_are_counted_by_variable_and_bin(tmp_path: Path, serve: Serve) -> None:
    gradient = np.full((200, 3), 0.1)
    gradient[[4, 5, 100], 1], gradient[7, 2] = np.nan, np.inf
    write(tmp_path / RUN, [block(gradient=gradient)])
    answer = serve().json("nonfinite", run=RUN, bins=100)
    assert answer["variables"] == [
        f"dense_{i}/{name}" for i in (1, 2) for name in ("kernel", "bias")
    ]
    assert answer["num_occurrences"] == 8
    assert [cell for cell in decode_array(answer["cells"]).tolist() if cell[0] == 0] == [
        [0, 2, 2, 2 * WIDTH, 0, 0, 5],
        [0, 50, 1, WIDTH, 0, 0, 101],
    ]
    assert [3, 3, 1, 0, WIDTH, 0, 8] in decode_array(answer["cells"]).tolist()


def test_zooming_keeps_the_rows(tmp_path: Path, serve: Serve) -> None:
    gradient = np.full((200, 3), 0.1)
    gradient[4, 1], gradient[150, 0] = np.nan, np.nan
    write(tmp_path / RUN, [block(gradient=gradient)])
    answer = serve().json("nonfinite", run=RUN, first_step=1, last_step=100)
    assert len(answer["variables"]) == 4
    assert {cell[0] for cell in decode_array(answer["cells"]).tolist()} == {2, 3}


def test_overflow_of_the_norm_is_not_counted_as_inf(tmp_path: Path, serve: Serve) -> None:
    steps = block(gradient=0.1)
    norms = steps.values["gradient_norm"].copy()
    norms[9, 0] = np.inf
    write(tmp_path / RUN, [replace(steps, values={**steps.values, "gradient_norm": norms})])
    answer = serve().json("nonfinite", run=RUN)
    assert decode_array(answer["cells"]).tolist() == [[0, 9, 1, 0, 0, 1, 10]]


def test_bins_show_the_lowest_loss_scale_and_count_skipped_steps(
    tmp_path: Path, serve: Serve
) -> None:
    steps = block()
    skipped = np.isin(steps.steps, [3, 4, 9])
    write(tmp_path / RUN, [replace(steps, loss_scale=1024.0 / steps.steps, skipped=skipped)])
    answer = serve().json("nonfinite", run=RUN, bins=100)
    assert answer["is_scaled"]
    assert decode_array(answer["num_skipped"])[:6].tolist() == [0, 2, 0, 0, 1, 0]
    np.testing.assert_allclose(
        decode_array(answer["loss_scale"]), 1024 / steps.steps[1::2], rtol=1e-6
    )


def test_finite_run_has_no_rows(tmp_path: Path, serve: Serve) -> None:
    write(tmp_path / RUN, [block()])
    answer = serve().json("nonfinite", run=RUN)
    assert (answer["variables"], answer["num_occurrences"], answer["is_scaled"]) == ([], 0, False)
    assert answer["is_counted"]


def test_run_without_counts_is_not_counted(tmp_path: Path, serve: Serve) -> None:
    steps = block()
    values = {n: v for n, v in steps.values.items() if n not in ("nan_count", "inf_count")}
    write(tmp_path / RUN, [replace(steps, values=values)])
    assert not serve().json("nonfinite", run=RUN)["is_counted"]
