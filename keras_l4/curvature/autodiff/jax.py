"""JAX: derivatives of a loss. Hessian-vector products are forward-over-reverse."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax

from keras_l4.curvature.autodiff.loss import Batch, Derivatives, Loss, Tensor, VectorProduct
from keras_l4.keras_internals.custom_gradients import OnCall, observe_jax_custom_vjp


def derivatives(loss: Loss) -> Derivatives:
    """Returns the loss, its gradient and its Hessian-vector product, compiled."""

    @jax.jit
    def multiply(
        values: Sequence[Tensor],
        non_trainable: Sequence[Tensor],
        batch: Batch,
        tangents: Sequence[Tensor],
    ) -> list[Tensor]:
        def gradient(trainable: Sequence[Tensor]) -> list[Tensor]:
            return jax.grad(loss)(trainable, non_trainable, batch)

        return jax.jvp(gradient, (values,), (list(tangents),))[1]

    def hessian(
        values: Sequence[Tensor], non_trainable: Sequence[Tensor], batch: Batch
    ) -> VectorProduct:
        return functools.partial(multiply, values, non_trainable, batch)

    return Derivatives(jax.jit(loss), jax.jit(jax.value_and_grad(loss)), hessian)


def visit_custom_gradients(run: Callable[[], Any], on_call: OnCall) -> None:
    """Calls `on_call` with each function with a custom gradient that `run` calls, and its arguments."""
    found: list[Any] = []
    with observe_jax_custom_vjp(lambda function, args: found.append(function)):
        # Tracing takes a fraction of the time of running `run` operation by operation, which is
        # only necessary if there is such a function.
        jax.eval_shape(run)
    if found:
        with observe_jax_custom_vjp(on_call):
            run()
