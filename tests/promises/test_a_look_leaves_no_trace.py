"""P1 for the look at the model: what a layer assigns or draws in it goes nowhere."""

from __future__ import annotations

import random
import warnings
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from keras_l4.callbacks import TrainingDiagnostics
from tests.training import FEATURES, ROWS, build, rows, same, state, train

EPOCHS = 3


@keras.saving.register_keras_serializable("tests")
class Noisy(layers.Layer):
    """Draws random numbers, counts its calls and remembers a mean, also when it is not trained."""

    def build(self, shape: Any) -> None:
        self.seeds = keras.random.SeedGenerator(1)
        self.calls = self.add_weight(name="calls", trainable=False, initializer="zeros")
        self.mean = self.add_weight(
            shape=(shape[-1],), name="mean", trainable=False, initializer="zeros"
        )

    def call(self, x: Any) -> Any:
        self.calls.assign_add(1.0)
        self.mean.assign(0.9 * self.mean + 0.1 * keras.ops.mean(x, axis=0))
        noise = keras.random.normal(keras.ops.shape(x), seed=self.seeds)
        return x + 0.1 * noise + 0.01 * self.mean


def model(name: str) -> Any:
    stacks = {
        "noise": lambda: [layers.Dense(4), Noisy(), layers.Dense(1)],
        "batch-normalization": lambda: [
            layers.Dense(4),
            layers.BatchNormalization(),
            layers.Dense(1),
        ],
        "dropout": lambda: [
            layers.Dense(4),
            layers.GaussianNoise(0.1),
            layers.Dropout(0.5),
            layers.Dense(1),
        ],
        "regularized": lambda: [layers.Dense(4, activity_regularizer="l2"), layers.Dense(1)],
        "spectral": lambda: [layers.SpectralNormalization(layers.Dense(4)), layers.Dense(1)],
    }
    # Layers draw the seeds of their initializers when they are made.
    keras.utils.set_random_seed(0)
    return build("adam", stacks[name]())


@pytest.mark.parametrize(
    "name", ["noise", "batch-normalization", "dropout", "regularized", "spectral"]
)
def test_variables_are_those_of_a_run_without_us(name: str) -> None:
    stock = model(name)
    train(stock, epochs=EPOCHS)
    watched = model(name)
    diagnostics = TrainingDiagnostics(verbose=0)
    train(watched, diagnostics, epochs=EPOCHS)

    assert len(diagnostics._judgement._history._responses) >= 3, "the test shows nothing"
    assert same(state(watched), state(stock))


def test_generators_of_random_numbers_stand_where_they_stood() -> None:
    def draws(*callbacks: Any) -> list[float]:
        network = model("dropout")
        random.seed(0)
        np.random.seed(0)
        train(network, *callbacks)
        return [random.random(), float(np.random.rand())]

    assert draws(TrainingDiagnostics(verbose=0)) == draws()


def test_layers_are_called_as_before() -> None:
    network = model("dropout")
    train(network, TrainingDiagnostics(verbose=0))
    assert not any("call" in vars(layer) for layer in network.layers)


def test_a_layer_that_fails_in_the_look_does_not_stop_training() -> None:
    class Trap(layers.Layer):
        """Fails on as many rows as there are: the batch of the look."""

        def call(self, x: Any) -> Any:
            if x.shape[0] == ROWS:
                raise RuntimeError("planted")
            return x

    network = build("adam", [Trap(), layers.Dense(1)])
    with pytest.warns(RuntimeWarning, match="(?s)looking at the model .*planted") as caught:
        history = train(network, TrainingDiagnostics(verbose=0), epochs=EPOCHS)
    assert len([w for w in caught if "keras_l4" in str(w.message)]) == 1
    assert len(history.history["loss"]) == EPOCHS
    assert not any("call" in vars(layer) for layer in network.layers)


def test_a_generator_is_not_consumed() -> None:
    x, y = rows()
    taken = []

    def batches() -> Any:
        for i in range(3):
            taken.append(i)
            yield x[8 * i : 8 * i + 8], y[8 * i : 8 * i + 8]

    network = build()
    diagnostics = TrainingDiagnostics(verbose=0)
    network.fit(batches(), verbose=0, callbacks=[diagnostics])
    known = diagnostics._judgement._history.facts
    assert taken == [0, 1, 2]
    assert known is not None
    assert known.inputs is None


def test_data_may_be_left_alone() -> None:
    diagnostics = TrainingDiagnostics(look_at_data=False, verbose=0)
    train(build(), diagnostics)
    history = diagnostics._judgement._history
    assert history.facts is not None
    assert history.facts.inputs is history.facts.targets is None
    assert history._responses == []


def test_without_rules_nothing_is_looked_at() -> None:
    diagnostics = TrainingDiagnostics(rules=None, verbose=0)
    train(build(), diagnostics)
    assert diagnostics._judgement._history.facts is None
    assert diagnostics.findings == ()


def test_the_inputs_are_those_of_fit() -> None:
    diagnostics = TrainingDiagnostics(verbose=0)
    train(build(), diagnostics, validation_split=0.34)
    known = diagnostics._judgement._history.facts
    assert known is not None
    assert known.inputs is not None
    assert known.inputs.shape == (FEATURES,)
    assert known.inputs.num_examples == 15  # What is left for training.


class Complaining(layers.Layer):
    """Warns whenever it is called; Python tells that once."""

    def call(self, x: Any) -> Any:
        warnings.warn("planted", UserWarning, stacklevel=2)
        return x


def test_what_python_has_said_once_it_does_not_say_again() -> None:
    trained = build(layers=[Complaining(), layers.Dense(1)])
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("default")
        train(trained, TrainingDiagnostics(quantities=["gradient_norm"], verbose=0), epochs=EPOCHS)
    assert [str(w.message) for w in told].count("planted") == 1
