"""However `fit` ends: the optimizer is the stock one at once, and nothing recorded is lost."""

from __future__ import annotations

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
    """What somebody else's code raises."""


class FailsIn(keras.callbacks.Callback):
    """Raises in one hook, the second time where there is one."""

    def __init__(self, hook: str, error: type[BaseException] = Fault) -> None:
        super().__init__()
        self.calls = 0
        self.wanted = 2 if "batch" in hook else 1
        self.error = error
        setattr(self, hook, self._count)

    def _count(self, *_: Any, **__: Any) -> None:
        self.calls += 1
        if self.calls == self.wanted:
            raise self.error("planted")


# The hook, and the steps that were done when it raises.
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
    """A fresh callback on the same model records all of the next fit, and nothing else does."""
    before = num_recorded(log_dir)
    train(model, norms(log_dir))
    assert num_recorded(log_dir) == before + STEPS
    assert_restored(model)


def raise_in_fit(model: Any, error: type[BaseException], *callbacks: Any, **arguments: Any) -> Any:
    """Restored inside of the except block, that is before anybody cleans up."""
    try:
        train(model, *callbacks, **arguments)
    except error as raised:
        assert_restored(model)
        return raised
    pytest.fail(f"fit did not raise {error.__name__}")


@pytest.mark.parametrize("cls", [keras.optimizers.Adam, keras_l4.optimizers.Adam])
def test_after_a_normal_end(cls: Any, tmp_path: Path) -> None:
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
def test_another_callback_raises(hook: str, ours_first: bool, tmp_path: Path) -> None:
    model = build()
    callbacks = [norms(tmp_path, flush_every=100), FailsIn(hook)]
    raise_in_fit(model, Fault, *(callbacks if ours_first else callbacks[::-1]))

    assert num_recorded(tmp_path) == HOOKS[hook]
    assert_trains_on(model, tmp_path)


def test_a_keyboard_interrupt(tmp_path: Path) -> None:
    model = build()
    interrupt = FailsIn("on_train_batch_end", KeyboardInterrupt)
    raise_in_fit(model, KeyboardInterrupt, norms(tmp_path), interrupt)

    assert num_recorded(tmp_path) == 2
    assert_trains_on(model, tmp_path)


def test_the_data_raises(tmp_path: Path) -> None:
    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        x, y = rows()
        yield x[:BATCH], y[:BATCH]
        yield x[:BATCH], y[:BATCH]
        raise Fault("planted")

    model = build()
    # TensorFlow wraps what a generator raises.
    with pytest.raises(Exception, match="planted"):
        model.fit(batches(), verbose=0, callbacks=[norms(tmp_path)])

    assert_restored(model)
    assert num_recorded(tmp_path) <= 2
    assert_trains_on(model, tmp_path)


class Fragile(keras.layers.Layer):
    """Raises while it is trained, until it is mended."""

    broken = False

    def call(self, x: Any, training: bool = False) -> Any:
        if training and self.broken:
            raise Fault("planted")
        return x


@pytest.mark.parametrize("run_eagerly", {False, keras.backend.backend() == "tensorflow"})
def test_the_train_step_raises(run_eagerly: bool, tmp_path: Path) -> None:
    fragile = Fragile()
    model = build(layers=[keras.layers.Dense(2), fragile, keras.layers.Dense(1)])
    model.run_eagerly = run_eagerly
    # TensorFlow builds the optimizer in the first step, once and for all.
    train(model)
    fragile.broken = True
    raise_in_fit(model, Fault, norms(tmp_path))

    # On JAX stock Keras, too, has lost the weights now.
    if keras.backend.backend() != "jax":
        fragile.broken = False
        assert_trains_on(model, tmp_path)


def test_our_own_floating_point_error(tmp_path: Path) -> None:
    model = build()
    start = model.get_weights()
    monitor = NonFiniteMonitor(tmp_path, action="raise", flush_every=1)
    raise_in_fit(model, FloatingPointError, monitor, nan_at=0, epochs=2)

    assert 1 <= num_recorded(tmp_path) < 2 * STEPS
    model.set_weights(start)
    assert_trains_on(model, tmp_path)


def test_what_was_raised_first_is_what_the_user_sees(tmp_path: Path) -> None:
    # The NaN is found only in the last read-out, when the fault is on its way already.
    monitor = NonFiniteMonitor(tmp_path, action="raise", flush_every=100)
    fault = FailsIn("on_train_batch_end")
    raised = raise_in_fit(build(), Fault, monitor, fault, nan_at=0)

    assert any("step 1 (epoch 0, batch 0): " in note for note in raised.__notes__)


def test_the_callback_that_raised_can_be_used_again(tmp_path: Path) -> None:
    model = build()
    ours = norms(tmp_path)
    raise_in_fit(model, Fault, ours, FailsIn("on_train_batch_end"))
    train(model, ours)

    assert num_recorded(tmp_path) == 2 + STEPS


def test_a_fit_that_never_began_leaves_nothing_behind(tmp_path: Path) -> None:
    model = build()
    forgotten = norms(tmp_path / "forgotten")
    raise_in_fit(model, Fault, FailsIn("set_model"), forgotten)
    raise_in_fit(model, Fault, forgotten, FailsIn("on_train_begin"))
    train(model, norms(tmp_path / "next"))

    assert num_recorded(tmp_path / "next") == STEPS
