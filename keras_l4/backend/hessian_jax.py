"""JAX: derivatives of a loss; forward over reverse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax

from keras_l4.backend.pure_loss import Batch, Derivatives, Loss


def derivatives(loss: Loss) -> Derivatives:
    """The loss, its gradient and the product of its Hessian with a vector."""

    def product(values: Any, rest: Any, batch: Batch, tangents: Sequence[Any]) -> Any:
        def gradient(trainable: Any) -> Any:
            return jax.grad(loss)(trainable, rest, batch)

        return jax.jvp(gradient, (values,), (list(tangents),))[1]

    return Derivatives(jax.jit(loss), jax.jit(jax.value_and_grad(loss)), jax.jit(product))
