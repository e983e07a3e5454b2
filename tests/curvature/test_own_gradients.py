"""Layers whose second derivative is missing, and nothing says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from keras_l4.curvature import spectrum
from keras_l4.curvature._objective import Objective
from keras_l4.curvature.autodiff.custom_gradients import _is_wrong
from tests.curvature.models import compiled, data_for, double_precision
from tests.curvature.truth import dense_hessian

Function = Callable[[Any], Any]


def of_torch(cube: bool, follows: bool) -> Function:
    import torch

    class Own(torch.autograd.Function):
        @staticmethod
        def forward(context: Any, x: Any) -> Any:
            context.save_for_backward(x)
            context.kept = x.detach()
            return x**3 if cube else x.clamp(min=0)

        @staticmethod
        def backward(context: Any, upstream: Any) -> Any:
            x = context.saved_tensors[0] if follows else context.kept
            return upstream * (3 * x**2 if cube else (x > 0).to(x.dtype))

    # As the tutorials do: `apply` is looked up before anything can watch it.
    return Own.apply


def of_jax(cube: bool, follows: bool) -> Function:
    import jax
    import jax.numpy as jnp

    def value(x: Any) -> Any:
        return x**3 if cube else jnp.maximum(x, 0)

    def backward(x: Any, upstream: Any) -> tuple[Any]:
        x = x if follows else jax.lax.stop_gradient(x)
        return (upstream * (3 * x**2 if cube else (x > 0).astype(x.dtype)),)

    own = jax.custom_vjp(value)
    own.defvjp(lambda x: (value(x), x), backward)
    return own


def of_tensorflow(cube: bool, follows: bool) -> Function:
    import tensorflow as tf

    @tf.custom_gradient
    def own(x: Any) -> Any:
        def backward(upstream: Any) -> Any:
            at = x if follows else tf.stop_gradient(x)
            return upstream * (3 * at**2 if cube else tf.cast(at > 0, at.dtype))

        return (x**3 if cube else tf.maximum(x, 0)), backward

    return own


OWN = {"torch": of_torch, "jax": of_jax, "tensorflow": of_tensorflow}


class Own(layers.Layer):
    def __init__(self, function: Function, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.function = function

    def call(self, x: Any) -> Any:
        return self.function(x)

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


def stacked(function: Function) -> Any:
    own = Own(function, name="culprit")
    return compiled([keras.Input((6,)), layers.Dense(5), own, layers.Dense(3), layers.Softmax()])


def agrees(model: Any) -> bool:
    """With the dense Hessian, along a random vector."""
    objective = Objective(model, *data_for(model), batch_size=20)
    vector = np.random.default_rng(0).normal(size=objective.size)
    expected = dense_hessian(objective) @ vector
    return bool(np.allclose(objective.product(vector), expected, atol=1e-5 * abs(expected).max()))


def test_a_gradient_that_is_taken_for_a_constant_is_named(backend: str) -> None:
    model = stacked(OWN[backend](cube=True, follows=False))
    with pytest.raises(
        NotImplementedError, match=r"culprit' \(Own\) has no second derivative that is right"
    ):
        spectrum(model, *data_for(model))


def test_one_in_the_loss_is_told(backend: str) -> None:
    own = OWN[backend](cube=True, follows=False)
    plain = [keras.Input((6,)), layers.Dense(1)]
    model = compiled(plain, loss=lambda y, out: keras.ops.mean(own(out), axis=-1))
    with pytest.raises(
        NotImplementedError, match="The loss function has no second derivative that"
    ):
        spectrum(model, *data_for(model))


@pytest.mark.parametrize("cube", [True, False])
def test_one_that_can_be_differentiated_is_right(backend: str, cube: bool) -> None:
    # A kink is no error: but for it, the second derivative of a ramp is 0.
    with double_precision():
        assert agrees(stacked(OWN[backend](cube=cube, follows=True)))
    model = stacked(OWN[backend](cube=cube, follows=cube))
    spectrum(model, *data_for(model))


def test_one_that_does_not_follow_what_comes_from_above_is_named() -> None:
    @keras.ops.custom_gradient
    def own(x: Any) -> Any:
        def backward(*args: Any, upstream: Any = None) -> Any:
            return keras.ops.stop_gradient(args[0] if upstream is None else upstream)

        return x + 0.0, backward

    model = stacked(own)
    with pytest.raises(NotImplementedError, match="culprit"):
        spectrum(model, *data_for(model))


@pytest.mark.parametrize("seed", range(5))
def test_kinks_are_no_error(seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Differences of the gradient cross some of these, and each counts in all inputs.
    many = keras.ops.convert_to_tensor(rng.normal(size=(6, 20_000)), "float32")
    x = keras.ops.convert_to_tensor(rng.normal(size=(1, 6)), "float32")
    assert not _is_wrong(lambda x: keras.ops.relu(x @ many), [x])


def test_the_check_is_made_once(backend: str) -> None:
    calls: list[Any] = []
    own = OWN[backend](cube=True, follows=True)

    def counted(x: Any) -> Any:
        calls.append(x)
        return own(x)

    model = stacked(counted)
    objective = Objective(model, *data_for(model), batch_size=20)
    objective.product(np.ones(objective.size))
    calls.clear()
    Objective(model, *data_for(model), batch_size=20).product(np.ones(objective.size))
    # torch computes each product anew, the others have compiled it.
    assert len(calls) == (1 if backend == "torch" else 0)


def test_a_layer_with_a_gradient_of_keras(backend: str) -> None:
    @keras.ops.custom_gradient
    def own(x: Any) -> Any:
        # Computed where the framework does not look: on torch it is a constant then.
        slope = 3 * x**2

        def backward(*args: Any, upstream: Any = None) -> Any:
            return (args[0] if upstream is None else upstream) * slope

        return x**3, backward

    if backend == "torch":
        model = stacked(own)
        with pytest.raises(NotImplementedError, match="culprit"):
            spectrum(model, *data_for(model))
    else:
        with double_precision():
            assert agrees(stacked(own))


@pytest.mark.parametrize(
    "resize",
    [
        lambda: layers.UpSampling2D((2, 3), interpolation="bilinear"),
        lambda: layers.Resizing(3, 5, interpolation="bicubic"),
    ],
    ids=["up", "down"],
)
def test_resizing_has_a_second_derivative(resize: Any) -> None:
    stack = [keras.Input((4, 4, 1)), layers.Conv2D(2, 3, activation="tanh"), resize()]
    head = [layers.Conv2D(1, 2, activation="tanh"), layers.Flatten(), layers.Dense(2)]
    with double_precision():
        model = compiled([*stack, *head, layers.Softmax()])
        x, y = data_for(model)
        objective = Objective(model, x, y % 2, batch_size=20)
        # TensorFlow resizes in float32.
        largest = np.linalg.eigvalsh(dense_hessian(objective, step=1e-3))[-1]
        found = spectrum(model, x, y % 2)
    assert found.largest == pytest.approx(largest, rel=1e-4)


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("method", ["bilinear", "bicubic", "nearest", "area", "lanczos3"])
def test_resizing_by_matrices_is_that_of_tensorflow(
    backend: str, method: str, antialias: bool
) -> None:
    if backend != "tensorflow":
        pytest.skip("others have second derivatives")
    import tensorflow as tf

    from keras_l4.curvature.autodiff.tensorflow import twice_differentiable

    images = np.random.default_rng(0).normal(size=(2, 7, 4, 3)).astype("float32")
    arguments = {"method": method, "antialias": antialias}
    for keeps in (False, True):
        expected = tf.image.resize(images, (5, 9), preserve_aspect_ratio=keeps, **arguments)
        with twice_differentiable():
            made = tf.image.resize(images, (5, 9), preserve_aspect_ratio=keeps, **arguments)
            single = tf.image.resize(images[0], (5, 9), method, keeps, antialias)
        assert np.allclose(made, expected, atol=1e-5)
        assert np.allclose(single, expected[0], atol=1e-5)


def test_a_gradient_that_tensorflow_takes_for_a_constant_is_named(backend: str) -> None:
    if backend != "tensorflow":
        pytest.skip("others have none")
    import tensorflow as tf

    def bent(x: Any) -> Any:
        return tf.raw_ops.ResizeBilinear(images=x[:, None, :, None], size=(1, 5))[:, 0, :, 0]

    # The layer before it has weights, and is none the worse for that.
    model = stacked(bent)
    with pytest.raises(NotImplementedError, match=r"culprit.*ResizeBilinearGrad for zero"):
        spectrum(model, *data_for(model))
