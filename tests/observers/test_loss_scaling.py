"""The loss scaling observer in `fit`."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_l4.callbacks import NonFiniteMonitor
from tests.training import build, train


def loss_scaling(initial_scale: float) -> keras.optimizers.LossScaleOptimizer:
    return keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(0.01), initial_scale=initial_scale
    )


def test_fit_counts_skipped_steps_and_reports_stalls(capsys: pytest.CaptureFixture[str]) -> None:
    # All gradients are NaN: Keras skips every step without a message.
    monitor = NonFiniteMonitor()
    model = build(loss_scaling(4.0))
    rows = np.full((24, 3), np.nan, "float32")
    logs = model.fit(
        rows, np.zeros((24, 1)), batch_size=8, epochs=4, verbose=0, callbacks=[monitor]
    ).history

    assert logs["num_skipped_steps"] == [3, 3, 3, 3]
    assert logs["num_nonfinite"] == [3, 3, 3, 3]
    assert [(s.kind, s.step) for s in monitor.stalls] == [("scale", 4), ("skipped", 10)]
    assert {e.skipped for e in monitor.events} == {True}
    messages = [line for line in capsys.readouterr().out.splitlines() if "keras_l4" in line]
    assert ["the loss scale fell to 0.5" in messages[0], "10 steps in a row" in messages[1]] == [
        True
    ] * 2
    assert len(messages) == 2


@pytest.mark.parametrize("action", ["stop", "raise"])
def test_skipped_overflow_triggers_no_action(action: str) -> None:
    monitor = NonFiniteMonitor(on_nonfinite=action, verbose=0)
    history = train(build(loss_scaling(2.0**15)), monitor, nan_at=1, epochs=2)

    assert history.history["num_skipped_steps"] == [1, 1]
    assert len(monitor.events) == 8
    assert str(monitor.events[0]).endswith("kernel; skipped, at a loss scale of 32768")


def test_logs_have_no_skipped_steps_without_loss_scaling() -> None:
    assert "num_skipped_steps" not in train(build(), NonFiniteMonitor()).history
