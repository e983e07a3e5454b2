from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import keras_l4


@pytest.mark.any_backend
def test_optimizer_is_unchanged_and_every_step_is_recorded(
    example: Callable[..., None], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    example("existing_project.py", "--epochs", "1")

    run = keras_l4.load(tmp_path / "logs" / "existing_project")
    assert run.steps.tolist() == list(range(1, 58))
    assert len(run.variables) == 6
    out = capsys.readouterr().out
    assert f"Lion: {run}\n" in out
    assert "Clipping shortened the gradient in" in out
