"""Which variables are recorded, and under which name."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from keras_l4.callbacks import TrainingDiagnostics
from tests.recorder.harness import PrescribedGradient, fit, prescribed_model, train
from tests.training import event_files

LAYERS = {"a": [(2, 3), (3,)], "b": [(4,)]}


@pytest.fixture
def gradients() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.standard_normal((4, n)).astype("float32") for n in (9, 4)]


def names(block: Any) -> list[str]:
    return [v.path for v in block.variables]


def prediction(_: Any, predicted: Any) -> Any:
    return predicted


@pytest.mark.parametrize(
    ("options", "positions"),
    [
        ({"include": "w0"}, [0, 2]),
        ({"exclude": "w0"}, [1]),
        ({"include": "^a/", "exclude": "w1$"}, [0]),
    ],
)
def test_include_and_exclude_select_variables_by_path(
    gradients: list[np.ndarray], options: dict[str, str], positions: list[int]
) -> None:
    model = prescribed_model(keras.optimizers.Adam(0.1, global_clipnorm=0.1), LAYERS)
    block = train(model, gradients, every=2, **options)
    assert names(block) == [["a/w0", "a/w1", "b/w0"][i] for i in positions]
    rows = np.concatenate(gradients, axis=1).astype(float)
    want = [np.linalg.norm(x, axis=1) for x in np.split(rows, [6, 9], axis=1)]
    got = block.values["gradient_norm"].T
    np.testing.assert_allclose(got, [want[i] for i in positions], rtol=1e-5)
    # The global norm covers all variables, recorded or not.
    factors = 0.1 / np.linalg.norm(rows[::2], axis=1)
    np.testing.assert_allclose(block.values["clip_factor"].T, [factors] * len(positions), rtol=1e-5)


def test_shared_layer_is_recorded_once(gradients: list[np.ndarray]) -> None:
    inputs, shared = [keras.Input((4,)), keras.Input((4,))], PrescribedGradient((4,), name="shared")
    model = keras.Model(inputs, keras.layers.Add()([shared(x) for x in inputs]))
    model.compile(keras.optimizers.SGD(0.1), prediction)
    x = [gradients[0][:, :4], gradients[1]]
    block = fit(model, x, np.zeros(4), batch_size=1)
    assert names(block) == ["shared/w0"]
    want = np.linalg.norm(x[0].astype(float) + x[1], axis=1)
    np.testing.assert_allclose(block.values["gradient_norm"][:, 0], want, rtol=1e-5)


def test_nested_models_are_recorded_and_frozen_layers_are_not(gradients: list[np.ndarray]) -> None:
    inner = keras.Sequential([keras.Input((4,)), PrescribedGradient((4,), name="p")], name="inner")
    frozen = keras.Sequential(
        [keras.Input((4,)), PrescribedGradient((4,), name="p")], name="frozen"
    )
    frozen.trainable = False
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Add()([inner(inputs), frozen(inputs)]))
    model.compile(keras.optimizers.Adam(0.1), prediction)
    block = fit(model, gradients[1], np.zeros(4), batch_size=1)
    assert len(block.variables) == 1
    assert block.layers == (model.trainable_variables[0].path.rpartition("/")[0],)
    want = np.linalg.norm(gradients[1].astype(float), axis=1)
    np.testing.assert_allclose(block.values["gradient_norm"][:, 0], want, rtol=1e-5)

    frozen.trainable = True
    model.compile(keras.optimizers.Adam(0.1), prediction)
    block = fit(model, gradients[1], np.zeros(4), batch_size=1)
    np.testing.assert_allclose(block.values["gradient_norm"].T, [want, want], rtol=1e-5)


class SamePathModel(keras.Model):
    def __init__(self) -> None:
        super().__init__(name="same_path")
        self.first, self.second = (
            PrescribedGradient((4,), name="p"),
            PrescribedGradient((4,), name="p"),
        )

    def call(self, x: Any) -> Any:
        return self.first(x) + self.second(2 * x)


def test_second_variable_of_a_path_is_numbered(backend: str, gradients: list[np.ndarray]) -> None:
    model = SamePathModel()
    model.compile(keras.optimizers.SGD(0.1), prediction)
    block = fit(model, gradients[1], np.zeros(4), batch_size=1)
    paths = [v.path for v in model.trainable_variables]
    assert paths[0] == paths[1]
    assert names(block) == [paths[0], f"{paths[1]}#2"]
    rows = gradients[1].astype(float)
    # Keras on torch identifies parameters by path, so that it never resets the first gradient.
    first = np.cumsum(rows, axis=0) if backend == "torch" else rows
    want = np.array([np.linalg.norm(first, axis=1), 2 * np.linalg.norm(rows, axis=1)])
    np.testing.assert_allclose(block.values["gradient_norm"].T, want, rtol=1e-5)
    layer = block.series("gradient_norm")
    assert len(layer.names) == 1
    np.testing.assert_allclose(layer.values[:, 0], np.linalg.norm(want, axis=0), rtol=1e-5)


def embedding_model(optimizer: Any) -> keras.Model:
    """Returns a model whose loss is the sum of the embeddings of a row."""
    layers = [keras.layers.Embedding(6, 2, name="e"), keras.layers.Lambda(ops.sum)]
    model = keras.Sequential([keras.Input((3,), dtype="int32"), *layers])
    model.compile(optimizer, prediction)
    return model


TOKENS = np.array([[0, 0, 0], [1, 5, 1], [5, 4, 3], [2, 2, 5]])
TIMES = np.array([np.bincount(row, minlength=6) for row in TOKENS])


def test_sparse_gradients_of_an_embedding_are_recorded(backend: str) -> None:
    model = embedding_model(keras.optimizers.Adam(0.1))
    block = fit(model, TOKENS, np.zeros(4), batch_size=1, every=2)
    gradients = np.repeat(TIMES, 2, axis=1).astype(float)
    want = np.linalg.norm(gradients, axis=1)
    np.testing.assert_allclose(block.values["gradient_norm"][:, 0], want, rtol=1e-5)
    assert block.values["gradient_max_abs"][:, 0].tolist() == [3, 1]
    zeros = (TIMES[::2] == 0).mean(axis=1)
    np.testing.assert_allclose(block.values["zero_fraction"][:, 0], zeros, rtol=1e-5)
    # Keras on TensorFlow squares each occurrence of a row and sums the squares; the others square
    # the sum.
    squares = gradients if backend == "tensorflow" else gradients**2
    v, rates = 0, []
    for t, square in enumerate(squares, start=1):
        v = 0.999 * v + 0.001 * square
        alpha = 0.1 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        rates.append(alpha / (np.sqrt(v.mean()) + 1e-7))
    np.testing.assert_allclose(block.values["effective_learning_rate"][:, 0], rates, rtol=1e-5)


class WithUnusedWeight(PrescribedGradient):
    """A layer with a weight that its output does not depend on."""

    def build(self, shape: Any) -> None:
        super().build(shape)
        self.unused = self.add_weight(shape=(5,), name="unused")


@pytest.mark.filterwarnings("ignore:Gradients do not exist:UserWarning")
def test_variable_without_gradient_is_recorded_as_zeros(gradients: list[np.ndarray]) -> None:
    model = keras.Sequential([keras.Input((4,)), WithUnusedWeight((4,), name="p")])
    model.compile(keras.optimizers.Adam(0.1), prediction)
    block = fit(model, gradients[1], np.zeros(4), batch_size=1, every=1)
    assert [name.rpartition("/")[2] for name in names(block)] == ["w0", "unused"]
    unused = {name: values[:, 1] for name, values in block.values.items()}
    assert (unused["gradient_norm"] == 0).all()
    assert (unused["zero_fraction"] == 1).all()
    assert (unused["clip_factor"] == 1).all()
    assert (unused["update_norm"] == 0).all()
    assert (unused["epsilon_dominated_fraction"] == 1).all()
    want = np.linalg.norm(gradients[1].astype(float), axis=1)
    np.testing.assert_allclose(block.values["gradient_norm"][:, 0], want, rtol=1e-5)


@pytest.mark.filterwarnings("error::RuntimeWarning", "ignore:Gradients do not:UserWarning")
@pytest.mark.parametrize("sparse", [True, False])
def test_histograms_are_written_if_a_gradient_is_sparse_or_missing(
    sparse: bool, tmp_path: Any
) -> None:
    if sparse:
        model, x = embedding_model(keras.optimizers.SGD(0.1)), TOKENS
    else:
        model = keras.Sequential([keras.Input((3,)), WithUnusedWeight((3,), name="p")])
        model.compile(keras.optimizers.SGD(0.1), prediction)
        x = TOKENS.astype("float32")
    diagnostics = TrainingDiagnostics(tmp_path, histogram_freq=1, verbose=0)
    model.fit(x, np.zeros(4), batch_size=1, verbose=0, callbacks=[diagnostics])

    [path] = event_files(tmp_path)
    content = path.read_bytes()
    for variable in model.trainable_variables:
        assert f"weights/{variable.path}".encode() in content
        assert f"gradients/{variable.path}".encode() in content
