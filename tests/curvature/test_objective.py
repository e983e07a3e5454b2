from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from keras_l4.curvature._objective import Objective
from tests.curvature.finite_differences import dense_hessian
from tests.curvature.models import STACKS, compiled, data_for, dense, double_precision
from tests.training import same, state

# JAX's own attention computes in float32, whatever its inputs are.
TOLERANCE = {("embedded", "jax"): 1e-3}


@pytest.mark.parametrize("name", STACKS)
def test_products_agree_with_the_dense_hessian(name: str, backend: str) -> None:
    with double_precision():
        model = compiled(STACKS[name]())
        objective = Objective(model, *data_for(model), batch_size=10)
        vector = np.random.default_rng(2).normal(size=objective.size)
        expected = dense_hessian(objective) @ vector

        product = objective.product(vector)
    tolerance = TOLERANCE.get((name, backend), 1e-6)
    assert np.linalg.norm(product - expected) <= tolerance * np.linalg.norm(expected)


def test_loss_agrees_with_evaluate_for_any_batch_size() -> None:
    model = compiled(dense())
    x, y = data_for(model)
    weight = np.linspace(0.5, 1.5, len(x))
    expected = model.evaluate(x, y, sample_weight=weight, batch_size=len(x), verbose=0)[0]

    batched, whole = (Objective(model, x, y, weight, batch_size=size) for size in (8, 100))
    assert batched.loss() == pytest.approx(expected, rel=1e-5)
    assert whole.loss() == pytest.approx(expected, rel=1e-5)
    vector = np.ones(whole.size)
    product = whole.product(vector)
    assert np.allclose(batched.product(vector), product, atol=1e-5 * np.abs(product).max())


def test_regularizers_and_added_losses_are_included() -> None:
    class Added(layers.Layer):
        def call(self, x: Any) -> Any:
            self.add_loss(keras.ops.mean(keras.ops.square(x)))
            return x

    regularized = layers.Dense(1, use_bias=False, kernel_regularizer=keras.regularizers.L2(0.5))
    model = compiled([keras.Input((2,)), regularized, Added()], loss="mse")
    objective = Objective(model, np.eye(2), np.zeros((2, 1)), batch_size=2)

    # ½(w₁² + w₂²) from the loss, the same from `add_loss`, and from the kernel's regularizer.
    assert np.allclose(objective.product(np.array([1.0, 0.0])), [3.0, 0.0])


def test_measuring_does_not_change_the_model() -> None:
    stack = [keras.Input((6,)), layers.Dense(4), layers.BatchNormalization(), layers.Dropout(0.5)]
    model = compiled([*stack, layers.Dense(3, activation="softmax")], "adam")
    x, y = data_for(model)
    model.fit(x, y, verbose=0)
    before = (
        state(model),
        [np.array(keras.ops.convert_to_numpy(v)) for v in model.metrics_variables],
    )
    objective = Objective(model, x, y, batch_size=8)
    objective.loss(), objective.gradient(), objective.product(objective.weights)

    after = state(model), [np.array(keras.ops.convert_to_numpy(v)) for v in model.metrics_variables]
    assert same(before[0], after[0])
    assert same(before[1], after[1])


def test_derivatives_are_cached_until_the_model_is_compiled_again() -> None:
    model = compiled(dense())
    x, y = data_for(model)
    first = Objective(model, x, y, batch_size=8)
    assert first.loss() != pytest.approx(1.0, rel=1e-3)
    again = Objective(model, x, y, batch_size=8)
    assert again._derivatives is first._derivatives

    model.compile("sgd", loss=lambda y_true, y_pred: keras.ops.sum(y_pred, axis=-1))
    assert Objective(model, x, y, batch_size=8).loss() == pytest.approx(1.0)


@pytest.mark.parametrize(("batch_size", "forward_passes"), [(20, 1), (10, 6)])
def test_products_with_a_single_batch_share_one_graph(
    batch_size: int, forward_passes: int, backend: str
) -> None:
    if backend != "torch":
        pytest.skip("the other backends compile the whole product")
    calls: list[Any] = []

    class Counted(layers.Layer):
        def call(self, x: Any) -> Any:
            calls.append(x)
            return x

    model = compiled([*dense(), Counted()])
    x, y = data_for(model)
    vectors = np.eye(Objective(model, x, y, batch_size=20).size)[:3]
    expected = [Objective(model, x, y, batch_size=20).product(vector) for vector in vectors]
    objective = Objective(model, x, y, batch_size=batch_size)
    calls.clear()
    products = [objective.product(vector) for vector in vectors]
    assert np.allclose(products, expected, atol=1e-6)
    assert len(calls) == forward_passes


class OnceDifferentiable(layers.Layer):
    """Has a first derivative only."""

    def build(self, shape: Any) -> None:
        self.scale = self.add_weight(shape=(), initializer="ones")

    def call(self, x: Any) -> Any:
        return once_differentiable(x * self.scale)


def once_differentiable(x: Any) -> Any:
    backend = keras.backend.backend()
    if backend == "torch":
        import torch

        class Square(torch.autograd.Function):
            @staticmethod
            def forward(context: Any, value: Any) -> Any:
                context.save_for_backward(value)
                return value * value

            @staticmethod
            @torch.autograd.function.once_differentiable
            def backward(context: Any, upstream: Any) -> Any:
                return 2 * context.saved_tensors[0] * upstream

        return Square.apply(x)
    if backend == "jax":
        import jax

        def slope(value: Any) -> Any:
            kind = jax.ShapeDtypeStruct(value.shape, value.dtype)
            return jax.pure_callback(lambda v: 2 * np.asarray(v), kind, value)

        square = jax.custom_vjp(lambda value: value * value)
        square.defvjp(lambda v: (v * v, v), lambda v, upstream: (slope(v) * upstream,))
        return square(x)
    import tensorflow as tf

    return tf.raw_ops.ResizeBicubic(images=x[:, None, :, None], size=(1, 6))[:, 0, :, 0]


def test_layer_without_a_second_derivative_is_named() -> None:
    stack = [
        layers.Dense(6),
        OnceDifferentiable(name="culprit"),
        layers.Dense(3, activation="softmax"),
    ]
    model = compiled([keras.Input((6,)), *stack])
    objective = Objective(model, *data_for(model), batch_size=20)
    objective.gradient()

    with pytest.raises(NotImplementedError, match=r"culprit' \(OnceDifferentiable\) has no second"):
        objective.product(np.ones(objective.size))


def test_invalid_model_or_data_raise_an_error() -> None:
    x, y = np.ones((4, 2)), np.ones((4, 1))
    plain = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    with pytest.raises(TypeError, match=r"expected a keras\.Model"):
        Objective(None, x, y, batch_size=2)
    with pytest.raises(ValueError, match=r"not compiled.*model\.compile"):
        Objective(plain, x, y, batch_size=2)
    with pytest.raises(ValueError, match="no trainable variables"):
        Objective(compiled([keras.Input((2,)), layers.Flatten()], loss="mse"), x, x, batch_size=2)
    with pytest.raises(ValueError, match=r"\[3, 4\] examples"):
        Objective(compiled([keras.Input((2,)), layers.Dense(1)]), x, y[:3], batch_size=2)


def test_wrapped_torch_module_raises_an_error(backend: str) -> None:
    if backend != "torch":
        pytest.skip("torch only")
    import torch

    wrapped = layers.TorchModuleWrapper(torch.nn.Linear(2, 1))
    model = compiled([keras.Input((2,)), wrapped], loss="mse")
    with pytest.raises(NotImplementedError, match="wraps a torch module"):
        Objective(model, np.ones((4, 2)), np.ones((4, 1)), batch_size=2)
