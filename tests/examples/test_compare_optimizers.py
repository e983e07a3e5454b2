from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib import image

import keras_l4

pytestmark = pytest.mark.any_backend


def test_records_four_runs_and_saves_a_chart(
    example: Callable[..., None], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    example("compare_optimizers.py", "--epochs", "2")
    compare = tmp_path / "logs" / "compare"

    rates = {}
    for name in ("sgd", "adagrad", "rmsprop", "adam"):
        run = keras_l4.load(compare / name)
        assert run.steps[-1] == 114
        rates[name] = run.series("effective_learning_rate").values
    assert np.ptp(rates["sgd"]) == 0
    assert (np.diff(rates["adagrad"], axis=0) < 0).all()
    # The correction 1 / (1 - β₁ᵗ) falls from 10 to 1 within the first steps.
    assert (rates["adam"][0] > 3 * rates["adam"][20]).all()
    assert image.imread(compare / "optimizers.png").shape == (600, 900, 4)
    assert "Chart: logs/compare/optimizers.png\n" in capsys.readouterr().out
