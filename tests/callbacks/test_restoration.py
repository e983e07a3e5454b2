"""However `fit` ends, the optimizer is restored at once, and the recorded steps are kept."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import keras_l4
from keras_l4.callbacks import NonFiniteMonitor
from tests.training import BATCH, STEPS, build, norms, rows, train

STOCK = type(keras.optimizers.Adam())


class Fault(Exception):
    """An error in user code."""


class FailsIn(keras.callbacks.Callback):
    """Raises in one method: in the second call of a batch method, in the first of another one."""

    def __init__(self, hook: str, error: type[BaseException] = Fault) -> None:
        super().__init__()
        self.calls = 0
        self.failing_call = 2 if "batch" in hook else 1
        self.error = error
        setattr(self, hook, self._count)

    def _count(self, *_: Any, **__: Any) -> None:
        self.calls += 1
        if self.calls == self.failing_call:
            raise self.error("planted")


# The method, and the number of steps before it raises.
HOOKS = {
    "on_train_begin": 0,
    "on_epoch_begin": 0,
    "on_train_batch_begin": 1,
    "on_train_batch_end": 2,
    "on_epoch_end": STEPS,
    "on_train_end": STEPS,
}


def num_recorded(log_dir: Path) -> int:
    try:
        return len(keras_l4.load(log_dir).steps)
    except ValueError:
        return 0


def assert_restored(model: Any, cls: type = STOCK) -> None:
    assert type(model.optimizer) is cls
    expected = cls()
    if model.optimizer.built:
        expected.build(model.trainable_variables)
    names = [v.name for v in expected.variables]
    assert [v.name for v in model.optimizer.variables] == names


def assert_trains_on(model: Any, log_dir: Path) -> None:
    """A new callback on the same model records every step of the next fit, once."""
    before = num_recorded(log_dir)
    train(model, norms(log_dir))
    assert num_recorded(log_dir) == before + STEPS
    assert_restored(model)


def raise_in_fit(model: Any, error: type[BaseException], *callbacks: Any, **arguments: Any) -> Any:
    """Checks the restoration inside the except block, while the traceback still exists."""
    try:
        train(model, *callbacks, **arguments)
    except error as raised:
        assert_restored(model)
        return raised
    pytest.fail(f"fit did not raise {error.__name__}")


@pytest.mark.parametrize("cls", [keras.optimizers.Adam, keras_l4.optimizers.Adam])
def test_the_optimizer_is_restored_after_a_normal_end(cls: Any, tmp_path: Path) -> None:
    model = build(cls())
    train(model, norms(tmp_path))

    assert_restored(model, type(cls()))
    assert not getattr(model.optimizer, "is_recording", False)
    assert num_recorded(tmp_path) == STEPS


BEFORE_OURS = ["on_train_begin", "on_train_batch_end", "on_train_end"]


@pytest.mark.parametrize(
    ("hook", "ours_first"),
    [*((hook, True) for hook in HOOKS), *((hook, False) for hook in BEFORE_OURS)],
)
def test_the_optimizer_is_restored_if_another_callback_raises(
    hook: str, ours_first: bool, tmp_path: Path
) -> None:
    model = build()
    callbacks = [norms(tmp_path, flush_every=100), FailsIn(hook)]
    raise_in_fit(model, Fault, *(callbacks if ours_first else callbacks[::-1]))

    assert num_recorded(tmp_path) == HOOKS[hook]
    assert_trains_on(model, tmp_path)


def test_the_optimizer_is_restored_after_a_keyboard_interrupt(tmp_path: Path) -> None:
    model = build()
    interrupt = FailsIn("on_train_batch_end", KeyboardInterrupt)
    raise_in_fit(model, KeyboardInterrupt, norms(tmp_path), interrupt)

    assert num_recorded(tmp_path) == 2
    assert_trains_on(model, tmp_path)


def test_the_optimizer_is_restored_if_the_data_raises(tmp_path: Path) -> None:
    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        x, y = rows()
        yield x[:BATCH], y[:BATCH]
        yield x[:BATCH], y[:BATCH]
        raise Fault("planted")

    model = build()
    # TensorFlow wraps the error of a generator.
    with pytest.raises(Exception, match="planted"):
        model.fit(batches(), verbose=0, callbacks=[norms(tmp_path)])

    assert_restored(model)
    assert num_recorded(tmp_path) <= 2
    assert_trains_on(model, tmp_path)


class Fragile(keras.layers.Layer):
    """Raises in training while it is broken."""

    broken = False

    def call(self, x: Any, training: bool = False) -> Any:
        if training and self.broken:
            raise Fault("planted")
        return x


@pytest.mark.parametrize("run_eagerly", {False, keras.backend.backend() == "tensorflow"})
def test_the_optimizer_is_restored_if_the_train_step_raises(
    run_eagerly: bool, tmp_path: Path
) -> None:
    fragile = Fragile()
    model = build(layers=[keras.layers.Dense(2), fragile, keras.layers.Dense(1)])
    model.run_eagerly = run_eagerly
    # TensorFlow builds the optimizer in the first step.
    train(model)
    fragile.broken = True
    raise_in_fit(model, Fault, norms(tmp_path))

    # On JAX, Keras without a callback has lost the weights now, too.
    if keras.backend.backend() != "jax":
        fragile.broken = False
        assert_trains_on(model, tmp_path)


def test_the_optimizer_is_restored_after_our_floating_point_error(tmp_path: Path) -> None:
    model = build()
    start = model.get_weights()
    monitor = NonFiniteMonitor(tmp_path, on_nonfinite="raise", flush_every=1)
    raise_in_fit(model, FloatingPointError, monitor, nan_at=0, epochs=2)

    assert 1 <= num_recorded(tmp_path) < 2 * STEPS
    model.set_weights(start)
    assert_trains_on(model, tmp_path)


def test_the_user_sees_the_error_that_was_raised_first(tmp_path: Path) -> None:
    # The NaN is found only in the last read, after the fault was raised.
    monitor = NonFiniteMonitor(tmp_path, on_nonfinite="raise", flush_every=100)
    fault = FailsIn("on_train_batch_end")
    raised = raise_in_fit(build(), Fault, monitor, fault, nan_at=0)

    assert any("step 1 (epoch 0, batch 0): " in note for note in raised.__notes__)


def test_a_callback_can_be_used_again_after_an_error(tmp_path: Path) -> None:
    model = build()
    ours = norms(tmp_path)
    raise_in_fit(model, Fault, ours, FailsIn("on_train_batch_end"))
    train(model, ours)

    assert num_recorded(tmp_path) == 2 + STEPS


def test_a_fit_that_fails_before_training_does_not_affect_the_next(tmp_path: Path) -> None:
    model = build()
    forgotten = norms(tmp_path / "forgotten")
    raise_in_fit(model, Fault, FailsIn("set_model"), forgotten)
    raise_in_fit(model, Fault, forgotten, FailsIn("on_train_begin"))
    train(model, norms(tmp_path / "next"))

    assert num_recorded(tmp_path / "next") == STEPS


# `model.fit` is looked up before the callback is created, which wraps `Model.fit`.
FIRST_USE = """
import sys
import keras
import keras_l4
from tests.training import build, rows

class Fails(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if error:
            raise error("planted")

error = {"none": None, "error": ValueError, "interrupt": KeyboardInterrupt}[sys.argv[1]]
model, (x, y) = build(), rows()
stock = type(model.optimizer)
try:
    model.fit(
        x, y, verbose=0,
        callbacks=[keras_l4.callbacks.TrainingDiagnostics(sys.argv[2], verbose=0), Fails()],
    )
except (ValueError, KeyboardInterrupt):
    assert type(model.optimizer) is stock
else:
    assert not error
assert type(model.optimizer) is stock
assert len(keras_l4.load(sys.argv[2]).steps) == 1
"""


@pytest.mark.parametrize("error", ["none", "error", "interrupt"])
def test_the_optimizer_is_restored_although_fit_was_looked_up_before(
    error: str, tmp_path: Path
) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", FIRST_USE, error, str(tmp_path)]
    subprocess.run(command, check=True, cwd=root, env=os.environ | {"PYTHONPATH": str(root)})
