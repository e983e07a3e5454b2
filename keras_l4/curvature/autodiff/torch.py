"""torch: derivatives of a loss. Hessian-vector products are reverse-over-reverse."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from keras_l4.curvature.autodiff.loss import Batch, Derivatives, Loss, Tensor, VectorProduct
from keras_l4.keras_internals.custom_gradients import OnCall, observe_torch_autograd_functions


def derivatives(loss: Loss) -> Derivatives:
    """Returns the loss, its gradient and its Hessian-vector product."""

    @torch.no_grad()
    def value(values: Sequence[Tensor], non_trainable: Sequence[Tensor], batch: Batch) -> Tensor:
        return loss(values, non_trainable, batch)

    @torch.enable_grad()
    def gradient(values: Sequence[Tensor], non_trainable: Sequence[Tensor], batch: Batch) -> Any:
        leaves = _leaves(values)
        total = loss(leaves, non_trainable, batch)
        return total.detach(), _gradients(total, leaves)

    @torch.enable_grad()
    def hessian(
        values: Sequence[Tensor], non_trainable: Sequence[Tensor], batch: Batch
    ) -> VectorProduct:
        leaves = _leaves(values)
        # The fused attention kernels have no second derivative.
        with sdpa_kernel(SDPBackend.MATH):
            gradients = _gradients(loss(leaves, non_trainable, batch), leaves, create_graph=True)
        return functools.partial(_multiply, leaves, gradients)

    return Derivatives(value, gradient, hessian)


@torch.enable_grad()
def _multiply(
    leaves: list[Tensor], gradients: list[Tensor], tangents: Sequence[Tensor]
) -> list[Tensor]:
    """Differentiates the gradients along the tangents; retains their graph for the next product."""
    pairs = zip(gradients, tangents, strict=True)
    directional = sum((gradient * tangent).sum() for gradient, tangent in pairs)
    for leaf in leaves:
        leaf.grad = None
    if directional.requires_grad:
        # Not `autograd.grad`: it skips paths that do not lead to the leaves, including a function
        # without a second derivative, so that part of the product would be missing without an error.
        directional.backward(retain_graph=True)
    return [torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in leaves]


def visit_custom_gradients(run: Callable[[], Any], on_call: OnCall) -> None:
    """Calls `on_call` with each function with a custom gradient that `run` calls, and its arguments."""
    with observe_torch_autograd_functions(on_call), torch.no_grad():
        run()


def _leaves(values: Sequence[Tensor]) -> list[Tensor]:
    return [value.detach().requires_grad_() for value in values]


def _gradients(total: Tensor, leaves: list[Tensor], create_graph: bool = False) -> list[Tensor]:
    if not total.requires_grad:
        # `autograd.grad` raises an error for a constant.
        return [torch.zeros_like(leaf) for leaf in leaves]
    return list(
        torch.autograd.grad(
            total, leaves, create_graph=create_graph, allow_unused=True, materialize_grads=True
        )
    )
