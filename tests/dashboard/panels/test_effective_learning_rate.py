from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.dashboard.conftest import Serve, write
from tests.dashboard.unpacking import unpack
from tests.rules.records import block

RUN = "a/diagnostics"
RATE = "effective_learning_rate"
STEPS = np.arange(1, 201)[:, None]


def test_band_is_never_too_narrow(tmp_path: Path, serve: Serve) -> None:
    rates = {RATE: 2.0, f"{RATE}_p5": STEPS, f"{RATE}_p50": STEPS * 10, f"{RATE}_p95": STEPS * 100}
    write(tmp_path / RUN, [block(**rates)])
    told = serve().json(RATE, run=RUN, layer="dense_1", bins=20)
    assert (told["layer"], told["bin_size"]) == ("dense_1", 10)
    values = {name: unpack(line["values"]) for name, line in told["lines"].items()}
    ends = np.arange(10, 201, 10)
    np.testing.assert_allclose(values[f"{RATE}_p5"], ends - 9)
    np.testing.assert_allclose(values[f"{RATE}_p50"], ends * 10)
    np.testing.assert_allclose(values[f"{RATE}_p95"], ends * 100)
    np.testing.assert_allclose(values["nominal"], 0.1, rtol=1e-6)
    assert unpack(told["lines"]["nominal"]["steps"])[0] == 5.5


def test_rate_without_a_distribution(tmp_path: Path, serve: Serve) -> None:
    write(tmp_path / RUN, [block(**{RATE: STEPS})])
    told = serve().json(RATE, run=RUN, first_step=50, last_step=60)
    assert told["lines"].keys() == {RATE, "nominal"}
    assert told["layer"] == "dense_0"
    assert unpack(told["lines"][RATE]["steps"]).tolist() == list(range(50, 61))
    np.testing.assert_allclose(unpack(told["lines"][RATE]["values"]), np.arange(50, 61))


def test_run_without_rates(tmp_path: Path, serve: Serve) -> None:
    write(tmp_path / RUN, [block()])
    assert serve().ask(RATE, run=RUN).status_code == 404
