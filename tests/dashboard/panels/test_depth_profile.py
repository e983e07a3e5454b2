from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.dashboard.conftest import Serve, write
from tests.dashboard.unpacking import unpack
from tests.rules.records import block

RUN = "a/diagnostics"


def test_decay_is_the_one_that_was_planted(tmp_path: Path, serve: Serve) -> None:
    gradient = 0.5 ** np.arange(8)[::-1]
    write(tmp_path / RUN, [block(depth=8, gradient=gradient)])
    told = serve().json("depth_profile", run=RUN, step=100)
    assert told["fit"]["per_layer"] == pytest.approx(0.5, rel=1e-5)
    np.testing.assert_allclose(unpack(told["norms"]), gradient * np.sqrt(2), rtol=1e-6)


@pytest.mark.parametrize(("asked", "given"), [(0, 1), (1, 1), (57, 57), (200, 200), (10**15, 200)])
def test_step(tmp_path: Path, serve: Serve, asked: int, given: int) -> None:
    write(tmp_path / RUN, [block(gradient=np.arange(1, 201)[:, None])])
    told = serve().json("depth_profile", run=RUN, step=asked)
    assert (told["step"], told["steps"]) == (given, [1, 200])
    assert unpack(told["norms"])[0] == pytest.approx(given * np.sqrt(2))


def test_fit_leaves_out_what_has_no_logarithm(tmp_path: Path, serve: Serve) -> None:
    gradient = np.array([1e-4, np.nan, 1e-2, 0.0, 1.0, np.inf])
    write(tmp_path / RUN, [block(depth=6, gradient=gradient)])
    told = serve().json("depth_profile", run=RUN)
    assert told["fit"]["per_layer"] == pytest.approx(0.1)
    assert np.isnan(unpack(told["norms"])[1])


def test_two_layers_have_no_fit(tmp_path: Path, serve: Serve) -> None:
    write(tmp_path / RUN, [block(depth=2)])
    assert serve().json("depth_profile", run=RUN)["fit"] is None
