from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.mark.any_backend
def test_only_nonfinite_monitor_reports_the_cause(
    example: Callable[..., None], capsys: pytest.CaptureFixture[str], backend: str
) -> None:
    example("silent_nan.py", "--epochs", "3")
    out = capsys.readouterr().out

    # On TensorFlow, it depends on the CPU whether relu hides the NaN.
    is_silent = "TerminateOnNaN:   detected nothing.\n" in out
    assert backend == "tensorflow" or not is_silent
    assert ("TerminateOnNaN:   stopped training.\n" in out) != is_silent
    assert f"Epochs: {3 if is_silent else 1} of 3.\n" in out
    location = "among the 2048 gradients of mlp/hidden/kernel"
    assert "NonFiniteMonitor: step 21 (epoch 0, batch 20): " in out
    assert out.endswith(f"{location}\n")
