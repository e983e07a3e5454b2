"""torch: derivatives of a loss; reverse over reverse."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from keras_l4.curvature.autodiff.loss import Batch, Derivatives, Loss, Product, See


def derivatives(loss: Loss) -> Derivatives:
    """The loss, its gradient and the product of its Hessian with a vector."""

    @torch.no_grad()
    def value(values: Sequence[Any], rest: Sequence[Any], batch: Batch) -> Any:
        return loss(values, rest, batch)

    @torch.enable_grad()
    def gradient(values: Sequence[Any], rest: Sequence[Any], batch: Batch) -> Any:
        leaves = _leaves(values)
        at = loss(leaves, rest, batch)
        return at.detach(), _gradients(at, leaves)

    @torch.enable_grad()
    def hessian(values: Sequence[Any], rest: Sequence[Any], batch: Batch) -> Product:
        leaves = _leaves(values)
        # The fused kernels of attention have no second derivative.
        with sdpa_kernel(SDPBackend.MATH):
            slopes = _gradients(loss(leaves, rest, batch), leaves, create_graph=True)
        return functools.partial(_product, leaves, slopes)

    return Derivatives(value, gradient, hessian)


@torch.enable_grad()
def _product(leaves: list[Any], slopes: list[Any], tangents: Sequence[Any]) -> list[Any]:
    """The derivative of the slopes along the tangents; their graph is kept for the next one."""
    pairs = zip(slopes, tangents, strict=True)
    along = sum((slope * tangent).sum() for slope, tangent in pairs)
    for leaf in leaves:
        leaf.grad = None
    if along.requires_grad:
        # `autograd.grad` leaves out what does not lead to the leaves: a function without a
        # second derivative too, whose part would be missing and not missed.
        along.backward(retain_graph=True)
    return [torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in leaves]


def visit_own_gradients(run: Callable[[], Any], see: See) -> None:
    """Calls `see` with every function with a gradient of its own that `run` calls, and its arguments."""
    # `apply` of a function may have been taken from it before; this is what it calls. It is
    # inherited, so that it is there only for that time.
    base = torch.autograd.function._SingleLevelFunction

    def seen(cls: Any, *args: Any, **kwargs: Any) -> Any:
        see(functools.partial(cls.apply, **kwargs), args)
        return super(base, cls).apply(*args, **kwargs)

    base.apply = classmethod(seen)
    try:
        with torch.no_grad():
            run()
    finally:
        del base.apply


def _leaves(values: Sequence[Any]) -> list[Any]:
    return [value.detach().requires_grad_() for value in values]


def _gradients(of: Any, leaves: list[Any], create_graph: bool = False) -> list[Any]:
    if not of.requires_grad:
        # Of a constant; torch takes it for a mistake.
        return [torch.zeros_like(leaf) for leaf in leaves]
    return list(
        torch.autograd.grad(
            of, leaves, create_graph=create_graph, allow_unused=True, materialize_grads=True
        )
    )
