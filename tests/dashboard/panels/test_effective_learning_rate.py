from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.dashboard.conftest import Serve, write
from tests.dashboard.decoding import decode_array
from tests.rules.records import block

RUN = "a/diagnostics"
RATE = "effective_learning_rate"
STEPS = np.arange(1, 201)[:, None]


def test_bins_take_the_lowest_p5_and_the_highest_p95(tmp_path: Path, serve: Serve) -> None:
    rates = {RATE: 2.0, f"{RATE}_p5": STEPS, f"{RATE}_p50": STEPS * 10, f"{RATE}_p95": STEPS * 100}
    write(tmp_path / RUN, [block(**rates)])
    answer = serve().json(RATE, run=RUN, layer="dense_1", bins=20)
    assert (answer["layer"], answer["bin_size"]) == ("dense_1", 10)
    values = {name: decode_array(line["values"]) for name, line in answer["lines"].items()}
    ends = np.arange(10, 201, 10)
    np.testing.assert_allclose(values[f"{RATE}_p5"], ends - 9)
    np.testing.assert_allclose(values[f"{RATE}_p50"], ends * 10)
    np.testing.assert_allclose(values[f"{RATE}_p95"], ends * 100)
    np.testing.assert_allclose(values["nominal"], 0.1, rtol=1e-6)
    assert decode_array(answer["lines"]["nominal"]["steps"])[0] == 5.5


def test_rate_without_percentiles_has_one_line(tmp_path: Path, serve: Serve) -> None:
    write(tmp_path / RUN, [block(**{RATE: STEPS})])
    answer = serve().json(RATE, run=RUN, first_step=50, last_step=60)
    assert answer["lines"].keys() == {RATE, "nominal"}
    assert answer["layer"] == "dense_0"
    assert decode_array(answer["lines"][RATE]["steps"]).tolist() == list(range(50, 61))
    np.testing.assert_allclose(decode_array(answer["lines"][RATE]["values"]), np.arange(50, 61))


def test_run_without_effective_learning_rates_is_not_found(tmp_path: Path, serve: Serve) -> None:
    write(tmp_path / RUN, [block()])
    assert serve().get(RATE, run=RUN).status_code == 404
