from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.mark.any_backend
def test_only_one_of_two_callbacks_names_it(
    example: Callable[..., None], capsys: pytest.CaptureFixture[str], backend: str
) -> None:
    example("silent_nan.py", "--epochs", "3")
    out = capsys.readouterr().out

    # On TensorFlow it depends on the CPU.
    silent = "TerminateOnNaN:   saw nothing.\n" in out
    assert backend == "tensorflow" or not silent
    assert ("TerminateOnNaN:   stopped training.\n" in out) != silent
    assert f"Epochs: {3 if silent else 1} of 3.\n" in out
    where = "among the 2048 gradients of mlp/hidden/kernel"
    assert "NonFiniteMonitor: step 21 (epoch 0, batch 20): " in out
    assert out.endswith(f"{where}\n")
