from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from keras_l4 import surfaces
from keras_l4.curvature import surface
from keras_l4.curvature._filters import is_vector, output_axes
from keras_l4.curvature._objective import Objective
from keras_l4.curvature._slice import random_directions
from tests.curvature.models import compiled, data_for, dense
from tests.training import same, state


def axes(shape: tuple[int, ...], *stack: Any, dtype: Any = None) -> list[Any]:
    """Returns the output axes of the variables that have filters."""
    model = keras.Sequential([keras.Input(shape, dtype=dtype), *stack])
    pairs = zip(output_axes(model), model.trainable_variables, strict=True)
    return [axes for axes, variable in pairs if not is_vector(variable)]


@pytest.mark.any_backend
def test_output_axes_depend_on_the_layer() -> None:
    assert axes((4,), layers.Dense(3)) == [(-1,)]
    assert axes((8, 8, 2), layers.Conv2D(3, 2)) == [(-1,)]
    assert axes((8, 8, 2), layers.Conv2DTranspose(3, 2)) == [(-2,)]
    assert axes((8, 8, 2), layers.DepthwiseConv2D(2)) == [(-2, -1)]
    assert axes((4,), layers.Embedding(9, 3), dtype="int32") == [(0,)]
    assert axes((4, 5), layers.EinsumDense("abc,cde->abde", (None, 2, 3))) == [(1, 2)]
    assert axes((4, 5), layers.GRU(3)) == [(-1,), (-1,)]
    assert axes((4, 5), Unknown()) == [None]


class Unknown(layers.Layer):
    def build(self, shape: Any) -> None:
        self.kernel = self.add_weight(shape=(shape[-1], 2), name="kernel")

    def call(self, x: Any) -> Any:
        return keras.ops.matmul(x, self.kernel)


def test_random_directions_have_the_norms_of_the_filters() -> None:
    model = compiled(dense())
    objective = Objective(model, *data_for(model), batch_size=20)
    direction = random_directions(model, objective, seed=0)[0]
    kernel, bias = direction[:48].reshape(6, 8), direction[48:56]

    expected = np.linalg.norm(objective.shaped_weights()[0], axis=0)
    assert np.allclose(np.linalg.norm(kernel, axis=0), expected)
    assert not bias.any()


def test_weights_of_unknown_layers_are_reported() -> None:
    model = compiled([keras.Input((4,)), layers.Dense(3), Unknown(name="own")], loss="mse")
    result = surface(model, np.ones((4, 4)), np.ones((4, 2)), num_points=2)
    assert [path.split("/")[-2:] for path in result.unknown_filters] == [["own", "kernel"]]


def test_slice_has_the_loss_at_its_points() -> None:
    model = compiled(dense())
    x, y = data_for(model)
    before = state(model)
    result = surface(model, x, y, num_points=3, span=0.5)

    assert same(state(model), before)
    assert result.loss.shape == (3, 3)
    objective = Objective(model, x, y, batch_size=20)
    first, second = random_directions(model, objective, seed=0)
    corner = objective.loss(objective.weights - 0.5 * first + 0.5 * second)
    assert result.loss[0, 2] == pytest.approx(corner, rel=1e-5)
    assert result.loss[1, 1] == pytest.approx(objective.loss(), rel=1e-5)


def test_principal_directions_contain_the_trajectory() -> None:
    bowl = surfaces.quadratic()
    model = bowl.model("sgd", start=(0.0, 0.0))
    trajectory = [[np.array([2.0, 1.0])], [np.array([1.0, -0.5])], [np.array([0.0, 0.0])]]
    result = surface(model, *bowl.data(), directions="pca", trajectory=trajectory, num_points=2)

    assert sum(result.explained_variance) == pytest.approx(1)
    assert result.explained_variance[0] > result.explained_variance[1]
    assert np.linalg.norm(result.path, axis=1) == pytest.approx([5**0.5, 1.25**0.5, 0])
    assert result.path_loss == pytest.approx([20.5, 5.125, 0])


def test_slice_extends_beyond_the_trajectory() -> None:
    bowl = surfaces.quadratic()
    model = bowl.model("sgd", start=(0.0, 0.0))
    trajectory = [[np.array([30.0, 1.0])], [np.array([10.0, 0.0])], [np.array([0.0, 0.0])]]
    far = surface(model, *bowl.data(), directions="pca", trajectory=trajectory, num_points=2)
    still = surface(
        model, *bowl.data(), directions="hessian", trajectory=trajectory[2:], num_points=2
    )

    assert far.multiples[1] == pytest.approx(1.2 * np.abs(far.path).max())
    assert far.multiples[1] > 36
    assert still.multiples.tolist() == [-1, 1]


def test_invalid_arguments_raise_an_error() -> None:
    bowl = surfaces.quadratic()
    model = bowl.model("sgd")
    with pytest.raises(ValueError, match="needs a trajectory of at least three points"):
        surface(model, *bowl.data(), directions="pca")
    with pytest.raises(ValueError, match="directions='up': expected"):
        surface(model, *bowl.data(), directions="up")
    with pytest.raises(ValueError, match="dimensions=3"):
        surface(model, *bowl.data(), dimensions=3)
