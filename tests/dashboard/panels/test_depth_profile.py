from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.dashboard.conftest import Serve, write
from tests.dashboard.decoding import decode_array
from tests.rules.records import block

RUN = "a/diagnostics"


def test_fit_recovers_a_known_decay(tmp_path: Path, serve: Serve) -> None:
    gradient = 0.5 ** np.arange(8)[::-1]
    write(tmp_path / RUN, [block(depth=8, gradient=gradient)])
    answer = serve().json("depth_profile", run=RUN, step=100)
    assert answer["fit"]["per_layer"] == pytest.approx(0.5, rel=1e-5)
    np.testing.assert_allclose(decode_array(answer["norms"]), gradient * np.sqrt(2), rtol=1e-6)


@pytest.mark.parametrize(
    ("requested", "shown"), [(0, 1), (1, 1), (57, 57), (200, 200), (10**15, 200)]
)
def test_shows_the_last_measured_step_up_to_the_requested_one(
    tmp_path: Path, serve: Serve, requested: int, shown: int
) -> None:
    write(tmp_path / RUN, [block(gradient=np.arange(1, 201)[:, None])])
    answer = serve().json("depth_profile", run=RUN, step=requested)
    assert (answer["step"], answer["steps"]) == (shown, [1, 200])
    assert decode_array(answer["norms"])[0] == pytest.approx(shown * np.sqrt(2))


def test_fit_leaves_out_zero_and_nonfinite_norms(tmp_path: Path, serve: Serve) -> None:
    gradient = np.array([1e-4, np.nan, 1e-2, 0.0, 1.0, np.inf])
    write(tmp_path / RUN, [block(depth=6, gradient=gradient)])
    answer = serve().json("depth_profile", run=RUN)
    assert answer["fit"]["per_layer"] == pytest.approx(0.1)
    assert np.isnan(decode_array(answer["norms"])[1])


def test_two_layers_have_no_fit(tmp_path: Path, serve: Serve) -> None:
    write(tmp_path / RUN, [block(depth=2)])
    assert serve().json("depth_profile", run=RUN)["fit"] is None
