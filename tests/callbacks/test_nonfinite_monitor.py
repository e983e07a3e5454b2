"""NonFiniteMonitor: which step, which variable, how many; and what is done about it."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import pytest

from keras_l4.callbacks import NonFiniteMonitor
from tests.training import STEPS, build, train


def test_the_silent_nan() -> None:
    """One NaN kills a layer, the loss stays finite, and nobody else notices."""

    def relu(x: Any) -> Any:
        """As TensorFlow's on some CPUs: NaN is not above 0."""
        return keras.ops.where(x > 0, x, 0.0)

    dense = keras.layers.Dense
    layers = [dense(4, activation=relu, name="hidden"), dense(1, name="out")]
    model = build("adam", layers, run_eagerly=False, jit_compile=False)
    monitor = NonFiniteMonitor(verbose=0)
    losses: list[float] = []
    watch = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: losses.append(logs["loss"])
    )
    history = train(model, keras.callbacks.TerminateOnNaN(), watch, monitor, nan_at=1, epochs=2)

    # Silent: training goes on to its end with a finite loss.
    assert len(losses) == 2 * STEPS
    assert all(map(math.isfinite, losses))
    assert np.isnan(model.get_layer("hidden").get_weights()[0][0]).all()
    assert history.history["num_nonfinite"][0] >= 1
    # Named: at its step, in the one row of the one kernel that it reached.
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


def test_an_inf_is_told_from_a_nan() -> None:
    monitor = NonFiniteMonitor(verbose=0)
    # 1e41 is more than float32 holds: the bias gets a sum of Inf, the kernel Inf - Inf.
    scale = keras.layers.Lambda(lambda x: x * 1e38 * 1e3, output_shape=(1,))
    layers = [keras.layers.Dense(1, kernel_initializer="zeros"), scale]
    train(build(keras.optimizers.SGD(0.0), layers, loss=lambda y, x: x), monitor)

    kinds = {event.variable: event.kind for event in monitor.events if event.step == 1}
    assert kinds == {"sequential/dense/kernel": "nan", "sequential/dense/bias": "inf"}


def texts(action: Any, capsys: pytest.CaptureFixture[str]) -> tuple[str, Any]:
    model = build()
    monitor = NonFiniteMonitor(action=action, flush_every=1)
    capsys.readouterr()
    try:
        history = train(model, monitor, nan_at=1, epochs=3)
    except FloatingPointError as error:
        return str(error), monitor
    (line,) = [x for x in capsys.readouterr().out.splitlines() if "keras_l4" in x]
    return line.removeprefix("keras_l4: "), history


WHERE = "step 2 (epoch 0, batch 1): 6 NaN among the 6 gradients of sequential/dense/kernel"


def test_warn_says_it_once_and_trains_on(capsys: pytest.CaptureFixture[str]) -> None:
    line, history = texts("warn", capsys)

    assert line == f"{WHERE}, and 3 more variables."
    assert len(history.history["loss"]) == 3


@pytest.mark.parametrize("action", ["stop", "raise"])
def test_stop_and_raise_say_that_weights_are_not_protected(
    action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line, outcome = texts(action, capsys)

    assert line.startswith(f'{WHERE}, and 3 more variables. action="{action}" takes effect now')
    assert line.endswith("after step 2: the weights since step 2 are not protected.")
    if action == "stop":
        assert len(outcome.history["loss"]) == 1
    else:
        assert outcome.events[0].step == 2


def test_a_new_spell_of_nans_is_told_again(capsys: pytest.CaptureFixture[str]) -> None:
    model = build(keras.optimizers.SGD(0.01))
    start = model.get_weights()
    mend = keras.callbacks.LambdaCallback(on_epoch_begin=lambda *_: model.set_weights(start))
    # In each epoch batches 0 and 1 are healthy again.
    train(model, NonFiniteMonitor(), mend, nan_at=2, epochs=2)

    told = [x for x in capsys.readouterr().out.splitlines() if "keras_l4" in x]
    assert ["step 3" in told[0], "step 6" in told[1]] == [True, True]
    assert len(told) == 2


def test_a_healthy_run_has_no_events() -> None:
    monitor = NonFiniteMonitor()
    history = train(build(), monitor)

    assert monitor.events == ()
    assert history.history["num_nonfinite"] == [0]
