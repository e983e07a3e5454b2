"""The train function is rebuilt only if it has to be, and an outdated one is never used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import keras_l4
from keras_l4.recorder.recorder import Recorder
from tests.training import STEPS, build, norms, same, state, train

traces = pytest.mark.skipif(keras.backend.backend() == "torch", reason="torch does not trace")


class Counting(keras.layers.Layer):
    """Counts how often its Python code runs in training, which is once per trace."""

    num_traces = 0

    def call(self, x: Any, training: bool = False) -> Any:
        self.num_traces += bool(training)
        return x


def counted(**arguments: Any) -> tuple[Any, Counting]:
    layer = Counting()
    model = build(layers=[keras.layers.Dense(2), layer, keras.layers.Dense(1)], **arguments)
    return model, layer


@traces
def test_a_loop_over_fit_traces_once(tmp_path: Path) -> None:
    stock, expected = counted()
    for _ in range(3):
        train(stock)
    model, layer = counted()
    ours = norms(tmp_path)
    for _ in range(3):
        train(model, ours)

    assert layer.num_traces == expected.num_traces
    assert len(keras_l4.load(tmp_path).steps) == 3 * STEPS


@traces
def test_a_fit_without_a_callback_uses_the_original_function() -> None:
    model, layer = counted()
    train(model)
    own = model.train_function
    train(model, norms())
    assert model.train_function is own
    before = layer.num_traces
    train(model)

    assert layer.num_traces == before


@pytest.mark.parametrize(
    "between", [False, True], ids=["directly", "after a fit without a callback"]
)
def test_a_loss_compiled_between_two_fits_is_used(between: bool) -> None:
    def run(*callbacks: Any) -> list[np.ndarray]:
        model = build(keras.optimizers.SGD(0.1))
        train(model, *callbacks)
        # The same optimizer: only the loss is new.
        model.compile(model.optimizer, "mae")
        if between:
            train(model)
        train(model, *callbacks)
        return state(model)

    assert same(run(norms()), run())


def test_a_layer_frozen_between_two_fits_is_not_trained(tmp_path: Path) -> None:
    def run(*callbacks: Any) -> tuple[Any, list[np.ndarray]]:
        model = build(keras.optimizers.SGD(0.1))
        train(model, *callbacks)
        model.layers[0].trainable = False
        model.compile(keras.optimizers.SGD(0.1), "mse")
        frozen = model.layers[0].get_weights()
        train(model, *callbacks)
        assert same(model.layers[0].get_weights(), frozen)
        return model, state(model)

    assert same(run(norms(tmp_path))[1], run()[1])
    # The new optimizer has no iterations: the earlier steps are superseded.
    record = keras_l4.load(tmp_path)
    assert record.steps.tolist() == [*range(STEPS + 1, 2 * STEPS + 1)]
    assert [v.layer for v in record.variables] == ["sequential/dense_1"] * 2


def test_new_options_are_used_in_the_next_fit(tmp_path: Path) -> None:
    model = build()
    train(model, norms(tmp_path / "one", every=1))
    train(model, norms(tmp_path / "other", include="kernel", every=3))

    one, other = keras_l4.load(tmp_path / "one"), keras_l4.load(tmp_path / "other")
    assert (len(one.variables), len(other.variables)) == (4, 2)
    assert one.sampled.all()
    assert other.sampled.sum() == 1


@traces
def test_new_steps_per_execution_are_used(tmp_path: Path) -> None:
    model = build()
    ours = norms(tmp_path)
    train(model, ours)
    model.compile(model.optimizer, "mse", steps_per_execution=2)
    train(model, ours, epochs=2)

    assert len(keras_l4.load(tmp_path).steps) == 3 * STEPS


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="other backends trace once")
class TestDiscardedTraces:
    """TensorFlow discards the first trace of a step if it created variables."""

    def test_a_discarded_trace_records_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        traced: list[Recorder] = []
        record = Recorder.record

        def counted(self: Recorder, *arguments: Any) -> None:
            traced.append(self)
            record(self, *arguments)

        monkeypatch.setattr(Recorder, "record", counted)
        steps: list[int] = []
        train(build(), norms(hooks=[lambda block: steps.extend(block.steps)]))
        assert len(traced) == 1
        assert steps == list(range(1, STEPS + 1))

    def test_a_first_trace_that_is_run_is_recorded(self) -> None:
        import tensorflow as tf

        class FromTheFirstBatch(keras.optimizers.SGD):
            def build(self, variables: Any) -> None:
                super().build(variables)
                size = tf.reduce_mean(tf.abs(self.batch))
                self.add_variable((), initializer=lambda shape, dtype: size)

        class Model(keras.Sequential):
            def train_step(self, data: Any) -> Any:
                self.optimizer.batch = data[0]
                return super().train_step(data)

        model = Model([keras.Input((3,)), keras.layers.Dense(1)])
        model.compile(FromTheFirstBatch(0.1), "mse", jit_compile=False)
        steps: list[int] = []
        train(model, norms(hooks=[lambda block: steps.extend(block.steps)]))
        assert steps == list(range(1, STEPS + 1))
