"""The probe changes nothing: assignments and random draws of layers in it have no effect."""

from __future__ import annotations

import random
import warnings
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from keras_l4.callbacks import TrainingDiagnostics
from keras_l4.records.annotations import ProbeResult
from tests.training import FEATURES, ROWS, build, rows, same, state, train

EPOCHS = 3


@keras.saving.register_keras_serializable("tests")
class Noisy(layers.Layer):
    """Draws random numbers, counts its calls and tracks a mean, also outside of training."""

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
    # Layers draw the seeds of their initializers when they are created.
    keras.utils.set_random_seed(0)
    return build("adam", stacks[name]())


@pytest.mark.parametrize(
    "name", ["noise", "batch-normalization", "dropout", "regularized", "spectral"]
)
def test_variables_are_those_of_a_run_without_callback(name: str) -> None:
    stock = model(name)
    train(stock, epochs=EPOCHS)
    watched = model(name)
    diagnostics = TrainingDiagnostics(verbose=0)
    train(watched, diagnostics, epochs=EPOCHS)

    assert len(diagnostics._findings._history._annotations_of(ProbeResult)) >= 3, (
        "the test shows nothing"
    )
    assert same(state(watched), state(stock))


def test_state_of_python_and_numpy_generators_does_not_change() -> None:
    def draws(*callbacks: Any) -> list[float]:
        network = model("dropout")
        random.seed(0)
        np.random.seed(0)
        train(network, *callbacks)
        return [random.random(), float(np.random.rand())]

    assert draws(TrainingDiagnostics(verbose=0)) == draws()


def test_layers_have_no_patched_call_after_fit() -> None:
    network = model("dropout")
    train(network, TrainingDiagnostics(verbose=0))
    assert not any("call" in vars(layer) for layer in network.layers)


def test_layer_that_raises_in_the_probe_does_not_stop_training() -> None:
    class Trap(layers.Layer):
        """Raises on a batch of `ROWS` rows, which only the probe has."""

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


def test_generator_is_not_consumed() -> None:
    x, y = rows()
    drawn = []

    def batches() -> Any:
        for i in range(3):
            drawn.append(i)
            yield x[8 * i : 8 * i + 8], y[8 * i : 8 * i + 8]

    network = build()
    diagnostics = TrainingDiagnostics(verbose=0)
    network.fit(batches(), verbose=0, callbacks=[diagnostics])
    metadata = diagnostics._findings._history.metadata
    assert drawn == [0, 1, 2]
    assert metadata is not None
    assert metadata.inputs is None


def test_data_is_not_read_if_the_user_asks_for_that() -> None:
    diagnostics = TrainingDiagnostics(look_at_data=False, verbose=0)
    train(build(), diagnostics)
    history = diagnostics._findings._history
    assert history.metadata is not None
    assert history.metadata.inputs is history.metadata.targets is None
    assert history._annotations_of(ProbeResult) == ()


def test_model_is_not_inspected_without_rules() -> None:
    diagnostics = TrainingDiagnostics(rules=None, verbose=0)
    train(build(), diagnostics)
    assert diagnostics._findings._history.metadata is None
    assert diagnostics.findings == ()


def test_recorded_inputs_are_those_of_fit() -> None:
    diagnostics = TrainingDiagnostics(verbose=0)
    train(build(), diagnostics, validation_split=0.34)
    metadata = diagnostics._findings._history.metadata
    assert metadata is not None
    assert metadata.inputs is not None
    assert metadata.inputs.shape == (FEATURES,)
    assert metadata.inputs.num_examples == 15  # The rest is for validation.


class WarningLayer(layers.Layer):
    """Warns whenever it is called; Python shows that once."""

    def call(self, x: Any) -> Any:
        warnings.warn("planted", UserWarning, stacklevel=2)
        return x


def test_warning_that_python_showed_is_not_shown_again() -> None:
    trained = build(layers=[WarningLayer(), layers.Dense(1)])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        train(trained, TrainingDiagnostics(quantities=["gradient_norm"], verbose=0), epochs=EPOCHS)
    assert [str(w.message) for w in caught].count("planted") == 1
