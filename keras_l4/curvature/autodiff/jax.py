"""JAX: derivatives of a loss; forward over reverse."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax

from keras_l4.curvature.autodiff.loss import Batch, Derivatives, Loss, Product, See


def derivatives(loss: Loss) -> Derivatives:
    """The loss, its gradient and the product of its Hessian with a vector."""

    def product(values: Any, rest: Any, batch: Batch, tangents: Sequence[Any]) -> Any:
        def gradient(trainable: Any) -> Any:
            return jax.grad(loss)(trainable, rest, batch)

        return jax.jvp(gradient, (values,), (list(tangents),))[1]

    compiled = jax.jit(product)

    def hessian(values: Any, rest: Any, batch: Batch) -> Product:
        return functools.partial(compiled, values, rest, batch)

    return Derivatives(jax.jit(loss), jax.jit(jax.value_and_grad(loss)), hessian)


def visit_own_gradients(run: Callable[[], Any], see: See) -> None:
    """Calls `see` with every function with a gradient of its own that `run` calls, and its arguments."""
    found: list[Any] = []
    with _seeing(lambda function, args: found.append(function)):
        # Traced, which takes a fraction of computing it operation by operation.
        jax.eval_shape(run)
    if found:
        with _seeing(see):
            run()


@contextlib.contextmanager
def _seeing(see: See) -> Iterator[None]:
    stock = jax.custom_vjp.__call__

    def seen(function: Any, *args: Any, **kwargs: Any) -> Any:
        see(functools.partial(stock, function, **kwargs), args)
        return stock(function, *args, **kwargs)

    jax.custom_vjp.__call__ = seen
    try:
        yield
    finally:
        jax.custom_vjp.__call__ = stock
