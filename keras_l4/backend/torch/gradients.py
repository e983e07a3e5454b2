"""Gradients on torch: those of Keras' embeddings are dense, and reading one changes no update."""

from __future__ import annotations

from keras_l4.backend.interface import Tensor


def dense_gradient(gradient: Tensor, xla: bool) -> Tensor:
    return gradient


def is_sparse(gradient: Tensor) -> bool:
    return False
