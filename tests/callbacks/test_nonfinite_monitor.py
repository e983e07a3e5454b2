"""NonFiniteMonitor: step, variable and number of NaN and Inf, and the reaction to them."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import pytest

from keras_l4.callbacks import NonFiniteMonitor
from tests.training import STEPS, build, train


def test_a_nan_is_found_although_the_loss_stays_finite() -> None:
    """One NaN destroys a layer; `TerminateOnNaN` does not notice, since the loss stays finite."""

    def relu(x: Any) -> Any:
        """Returns 0 for NaN, as TensorFlow does on some CPUs."""
        return keras.ops.where(x > 0, x, 0.0)

    dense = keras.layers.Dense
    layers = [dense(4, activation=relu, name="hidden"), dense(1, name="out")]
    model = build("adam", layers, jit_compile=False)
    monitor = NonFiniteMonitor(verbose=0)
    losses: list[float] = []
    watch = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: losses.append(logs["loss"])
    )
    history = train(model, keras.callbacks.TerminateOnNaN(), watch, monitor, nan_at=1, epochs=2)

    # Training continues to its end with a finite loss.
    assert len(losses) == 2 * STEPS
    assert all(map(math.isfinite, losses))
    assert np.isnan(model.get_layer("hidden").get_weights()[0][0]).all()
    assert history.history["num_nonfinite"][0] >= 1
    # The event names the step, and the only row of the only kernel that the NaN reached.
    first = monitor.events[0]
    assert (first.step, first.epoch, first.batch) == (2, 0, 1)
    assert first.variable == "sequential/hidden/kernel"
    assert (first.num_nan, first.num_inf, first.num_elements) == (4, 0, 12)


def test_events_name_every_variable_in_forward_order() -> None:
    monitor = NonFiniteMonitor(verbose=0)
    model = build()
    train(model, monitor, nan_at=1)

    paths = [v.path for v in model.trainable_variables]
    assert [(e.step, e.variable) for e in monitor.events] == [
        (step, path) for step in (2, 3) for path in paths
    ]
    assert [e.num_nan for e in monitor.events[:4]] == [6, 2, 2, 1]


def test_inf_and_nan_are_distinguished() -> None:
    monitor = NonFiniteMonitor(verbose=0)
    # 1e41 exceeds float32: the gradient of the bias is a sum of Inf, that of the kernel Inf - Inf.
    scale = keras.layers.Lambda(lambda x: x * 1e38 * 1e3, output_shape=(1,))
    layers = [keras.layers.Dense(1, kernel_initializer="zeros"), scale]
    train(build(keras.optimizers.SGD(0.0), layers, loss=lambda y, x: x), monitor)

    kinds = {event.variable: event.kind for event in monitor.events if event.step == 1}
    assert kinds == {"sequential/dense/kernel": "nan", "sequential/dense/bias": "inf"}


def message_and_outcome(on_nonfinite: Any, capsys: pytest.CaptureFixture[str]) -> tuple[str, Any]:
    model = build()
    monitor = NonFiniteMonitor(on_nonfinite=on_nonfinite, flush_every=1)
    capsys.readouterr()
    try:
        history = train(model, monitor, nan_at=1, epochs=3)
    except FloatingPointError as error:
        return str(error), monitor
    (line,) = [x for x in capsys.readouterr().out.splitlines() if "keras_l4" in x]
    return line.removeprefix("keras_l4: "), history


WHERE = "step 2 (epoch 0, batch 1): 6 NaN among the 6 gradients of sequential/dense/kernel"


def test_warn_prints_once_and_training_continues(capsys: pytest.CaptureFixture[str]) -> None:
    line, history = message_and_outcome("warn", capsys)

    assert line == f"{WHERE}, and 3 more variables."
    assert len(history.history["loss"]) == 3


@pytest.mark.parametrize("on_nonfinite", ["stop", "raise"])
def test_stop_and_raise_report_that_weights_are_not_protected(
    on_nonfinite: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line, outcome = message_and_outcome(on_nonfinite, capsys)

    assert line == (
        f"{WHERE}, and 3 more variables. Training ends after step 2 "
        f'(on_nonfinite="{on_nonfinite}"). The weights contain the updates since step 2: without a '
        "FlightRecorder they are not protected."
    )
    if on_nonfinite == "stop":
        assert len(outcome.history["loss"]) == 1
    else:
        assert outcome.events[0].step == 2


def test_nans_after_finite_steps_are_reported_again(capsys: pytest.CaptureFixture[str]) -> None:
    model = build(keras.optimizers.SGD(0.01))
    start = model.get_weights()
    restore = keras.callbacks.LambdaCallback(on_epoch_begin=lambda *_: model.set_weights(start))
    # The batches 0 and 1 of each epoch are finite.
    train(model, NonFiniteMonitor(), restore, nan_at=2, epochs=2)

    lines = [x for x in capsys.readouterr().out.splitlines() if "keras_l4" in x]
    assert ["step 3" in lines[0], "step 6" in lines[1]] == [True, True]
    assert len(lines) == 2


def test_a_healthy_run_has_no_events() -> None:
    monitor = NonFiniteMonitor()
    history = train(build(), monitor)

    assert monitor.events == ()
    assert history.history["num_nonfinite"] == [0]
