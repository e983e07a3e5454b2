"""Steps that the framework aborts with an error at a non-finite number are recorded, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from keras_l4 import load, replay
from keras_l4.callbacks import FlightRecorder, NonFiniteMonitor, TrainingDiagnostics
from keras_l4.report.evaluated_run import EvaluatedRun
from tests.forensics.faulty import Exp
from tests.training import BATCH, FEATURES, ROWS, build, state, train

BAD = 2
RAISES = {"torch": RuntimeError, "jax": FloatingPointError}


@pytest.fixture
def strict(backend: str) -> Any:
    """Makes the backend raise: torch does in its binary cross-entropy, JAX with `debug_nans`.

    Yields the loss to use.
    """
    if backend == "tensorflow":
        pytest.skip("TensorFlow's check_numerics raises at the data, before any step")
    if backend == "torch":
        yield "binary_crossentropy"
        return
    import jax

    with jax.debug_nans(True):
        yield "mse"


def build_model(loss: str, *before: Any) -> Any:
    output = keras.layers.Dense(1, "sigmoid", name="output")
    return build(layers=[*before, keras.layers.Dense(4, "tanh"), output], loss=loss)


def fit_until_error(model: Any, callback: Any, bad: float = np.nan) -> None:
    """Trains with one `bad` feature until the framework raises. All targets are 0."""
    x = np.zeros((ROWS, FEATURES), "float32")
    x[BAD * BATCH, 1] = bad
    with pytest.raises(RAISES[keras.backend.backend()]):
        model.fit(x, x[:, :1], BATCH, verbose=0, shuffle=False, callbacks=[callback])


def test_capsule_is_of_the_aborted_step(tmp_path: Path, strict: str) -> None:
    model = build_model(strict)
    callback = FlightRecorder(tmp_path, verbose=0)
    fit_until_error(model, callback)
    assert callback.capsule == tmp_path / f"capsule-{BAD + 1}"
    assert type(model.optimizer) is type(keras.optimizers.get("adam"))


def test_replay_continues_after_the_error(tmp_path: Path, strict: str) -> None:
    fit_until_error(build_model(strict), FlightRecorder(tmp_path, verbose=0))
    found = replay(tmp_path / f"capsule-{BAD + 1}")
    assert found.is_reproduced
    assert found.step == BAD + 1
    assert found.origin is not None
    assert (found.origin.phase, found.origin.layer) == ("data", "")


def test_replay_finds_the_layer_before_the_error(tmp_path: Path, strict: str) -> None:
    differences = keras.layers.Lambda(lambda x: x - x, name="differences")
    model = build_model(strict, Exp(name="powers"), differences)
    fit_until_error(model, FlightRecorder(tmp_path, verbose=0), bad=100)
    found = replay(tmp_path / f"capsule-{BAD + 1}", model)
    assert found.origin is not None
    assert (found.origin.layer, found.origin.operation) == ("sequential/powers", "exp")


def test_aborted_step_is_a_finding(tmp_path: Path, strict: str) -> None:
    fit_until_error(
        build_model(strict), TrainingDiagnostics(tmp_path, verbose=0, look_at_data=False)
    )
    [finding] = [f for f in EvaluatedRun.read(tmp_path).findings if f.code == "nonfinite"]
    assert finding.severity == "error"
    assert finding.first_step == BAD + 1
    assert load(tmp_path).steps.tolist() == list(range(1, BAD + 1))


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="one backend suffices")
def test_aborted_first_step_is_reported_on_loading(tmp_path: Path) -> None:
    x = np.full((BATCH, FEATURES), np.nan, "float32")
    callback = TrainingDiagnostics(tmp_path, verbose=0)
    model = build_model("binary_crossentropy")
    with pytest.raises(RuntimeError):
        model.fit(x, np.zeros((BATCH, 1)), verbose=0, callbacks=[callback])
    with pytest.raises(ValueError, match=r"first step was aborted.*between 0 and 1"):
        load(tmp_path)


def test_unrelated_error_writes_no_capsule(tmp_path: Path) -> None:
    class Broken(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if batch == BAD:
                raise RuntimeError("planted")

    with pytest.raises(RuntimeError, match="planted"):
        train(build(), FlightRecorder(tmp_path, verbose=0), Broken())
    assert not list(tmp_path.glob("capsule-*"))


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="an option of TensorFlow")
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_check_numerics_does_not_raise_in_our_operations(tmp_path: Path, optimizer: str) -> None:
    import tensorflow as tf

    plain, ours = build(optimizer=optimizer), build(optimizer=optimizer)
    tf.debugging.enable_check_numerics()
    try:
        train(plain)
        monitor = NonFiniteMonitor(tmp_path, "raise", every=2, verbose=0)
        train(ours, monitor, FlightRecorder(tmp_path, verbose=0))
    finally:
        tf.debugging.disable_check_numerics()
    for one, other in zip(state(plain), state(ours), strict=True):
        np.testing.assert_array_equal(one, other)
