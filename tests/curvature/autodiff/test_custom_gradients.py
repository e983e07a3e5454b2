"""Custom gradients, whose second derivative may be wrong without an error of the framework."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from keras_l4.curvature import spectrum
from keras_l4.curvature._objective import Objective
from keras_l4.curvature.autodiff.custom_gradients import has_wrong_second_derivative
from tests.curvature.finite_differences import dense_hessian
from tests.curvature.models import compiled, data_for, double_precision

Function = Callable[[Any], Any]


def torch_function(cube: bool, is_tracked: bool) -> Function:
    import torch

    class CustomFunction(torch.autograd.Function):
        @staticmethod
        def forward(context: Any, x: Any) -> Any:
            context.save_for_backward(x)
            context.detached = x.detach()
            return x**3 if cube else x.clamp(min=0)

        @staticmethod
        def backward(context: Any, upstream: Any) -> Any:
            x = context.saved_tensors[0] if is_tracked else context.detached
            return upstream * (3 * x**2 if cube else (x > 0).to(x.dtype))

    # As in torch's tutorials: `apply` is looked up before anything can patch it.
    return CustomFunction.apply


def jax_function(cube: bool, is_tracked: bool) -> Function:
    import jax
    import jax.numpy as jnp

    def value(x: Any) -> Any:
        return x**3 if cube else jnp.maximum(x, 0)

    def backward(x: Any, upstream: Any) -> tuple[Any]:
        x = x if is_tracked else jax.lax.stop_gradient(x)
        return (upstream * (3 * x**2 if cube else (x > 0).astype(x.dtype)),)

    function = jax.custom_vjp(value)
    function.defvjp(lambda x: (value(x), x), backward)
    return function


def tensorflow_function(cube: bool, is_tracked: bool) -> Function:
    import tensorflow as tf

    @tf.custom_gradient
    def function(x: Any) -> Any:
        def backward(upstream: Any) -> Any:
            at = x if is_tracked else tf.stop_gradient(x)
            return upstream * (3 * at**2 if cube else tf.cast(at > 0, at.dtype))

        return (x**3 if cube else tf.maximum(x, 0)), backward

    return function


FUNCTIONS = {"torch": torch_function, "jax": jax_function, "tensorflow": tensorflow_function}


class Custom(layers.Layer):
    def __init__(self, function: Function, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.function = function

    def call(self, x: Any) -> Any:
        return self.function(x)

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


def model_with(function: Function) -> Any:
    custom = Custom(function, name="culprit")
    return compiled([keras.Input((6,)), layers.Dense(5), custom, layers.Dense(3), layers.Softmax()])


def product_is_exact(model: Any) -> bool:
    """Compares a product with that of the dense Hessian, along a random vector."""
    objective = Objective(model, *data_for(model), batch_size=20)
    vector = np.random.default_rng(0).normal(size=objective.size)
    expected = dense_hessian(objective) @ vector
    return bool(np.allclose(objective.product(vector), expected, atol=1e-5 * abs(expected).max()))


def test_layer_with_an_untracked_custom_gradient_is_named(backend: str) -> None:
    model = model_with(FUNCTIONS[backend](cube=True, is_tracked=False))
    with pytest.raises(
        NotImplementedError, match=r"culprit' \(Custom\) has a wrong second derivative"
    ):
        spectrum(model, *data_for(model))


def test_untracked_custom_gradient_in_the_loss_is_reported(backend: str) -> None:
    function = FUNCTIONS[backend](cube=True, is_tracked=False)
    plain = [keras.Input((6,)), layers.Dense(1)]
    model = compiled(plain, loss=lambda y, out: keras.ops.mean(function(out), axis=-1))
    with pytest.raises(
        NotImplementedError, match="The loss function has a wrong second derivative"
    ):
        spectrum(model, *data_for(model))


@pytest.mark.parametrize("cube", [True, False])
def test_products_are_exact_for_a_tracked_custom_gradient(backend: str, cube: bool) -> None:
    # For the ramp, an untracked gradient is right: its second derivative is 0 except at the kink.
    with double_precision():
        assert product_is_exact(model_with(FUNCTIONS[backend](cube=cube, is_tracked=True)))
    model = model_with(FUNCTIONS[backend](cube=cube, is_tracked=cube))
    spectrum(model, *data_for(model))


def test_layer_whose_custom_gradient_does_not_track_the_upstream_gradient_is_named() -> None:
    @keras.ops.custom_gradient
    def function(x: Any) -> Any:
        def backward(*args: Any, upstream: Any = None) -> Any:
            return keras.ops.stop_gradient(args[0] if upstream is None else upstream)

        return x + 0.0, backward

    model = model_with(function)
    with pytest.raises(NotImplementedError, match="culprit"):
        spectrum(model, *data_for(model))


@pytest.mark.parametrize("seed", range(5))
def test_kinks_are_not_reported(seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Differences of the gradient cross some of these kinks, and each affects all inputs.
    many = keras.ops.convert_to_tensor(rng.normal(size=(6, 20_000)), "float32")
    x = keras.ops.convert_to_tensor(rng.normal(size=(1, 6)), "float32")
    assert not has_wrong_second_derivative(lambda x: keras.ops.relu(x @ many), [x])


def test_custom_gradients_are_checked_once_per_model(backend: str) -> None:
    calls: list[Any] = []
    function = FUNCTIONS[backend](cube=True, is_tracked=True)

    def counted(x: Any) -> Any:
        calls.append(x)
        return function(x)

    model = model_with(counted)
    objective = Objective(model, *data_for(model), batch_size=20)
    objective.product(np.ones(objective.size))
    calls.clear()
    Objective(model, *data_for(model), batch_size=20).product(np.ones(objective.size))
    # torch runs the function in each product; the others have compiled the product.
    assert len(calls) == (1 if backend == "torch" else 0)


def test_custom_gradient_of_keras_is_exact_or_reported(backend: str) -> None:
    @keras.ops.custom_gradient
    def function(x: Any) -> Any:
        # Computed in the forward pass, where torch does not track it: a constant.
        slope = 3 * x**2

        def backward(*args: Any, upstream: Any = None) -> Any:
            return (args[0] if upstream is None else upstream) * slope

        return x**3, backward

    if backend == "torch":
        model = model_with(function)
        with pytest.raises(NotImplementedError, match="culprit"):
            spectrum(model, *data_for(model))
    else:
        with double_precision():
            assert product_is_exact(model_with(function))


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
def test_resizing_by_matrices_agrees_with_tensorflow(
    backend: str, method: str, antialias: bool
) -> None:
    if backend != "tensorflow":
        pytest.skip("the other backends have a second derivative of resizing")
    import tensorflow as tf

    from keras_l4.curvature.autodiff.tensorflow import twice_differentiable_operations

    images = np.random.default_rng(0).normal(size=(2, 7, 4, 3)).astype("float32")
    arguments = {"method": method, "antialias": antialias}
    for preserve in (False, True):
        expected = tf.image.resize(images, (5, 9), preserve_aspect_ratio=preserve, **arguments)
        with twice_differentiable_operations():
            resized = tf.image.resize(images, (5, 9), preserve_aspect_ratio=preserve, **arguments)
            single = tf.image.resize(images[0], (5, 9), method, preserve, antialias)
        assert np.allclose(resized, expected, atol=1e-5)
        assert np.allclose(single, expected[0], atol=1e-5)


def test_operation_whose_derivative_tensorflow_takes_for_zero_is_named(backend: str) -> None:
    if backend != "tensorflow":
        pytest.skip("TensorFlow only")
    import tensorflow as tf

    def resize(x: Any) -> Any:
        return tf.raw_ops.ResizeBilinear(images=x[:, None, :, None], size=(1, 5))[:, 0, :, 0]

    # The layer in front of it has weights, and is not blamed.
    model = model_with(resize)
    with pytest.raises(NotImplementedError, match=r"culprit.*ResizeBilinearGrad for zero"):
        spectrum(model, *data_for(model))
