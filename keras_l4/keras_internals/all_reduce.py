"""Avoids a second all-reduce of gradients that were already summed over replicas to be measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from typing import Any, TypeAlias

import keras

Tensor: TypeAlias = Any

# The gradients that this thread summed last, and their sums.
_last_all_reduce: ContextVar[tuple[Sequence[Tensor], Sequence[Tensor]]] = ContextVar(
    "last_all_reduce", default=((), ())
)


def remember_all_reduce(gradients: Sequence[Tensor], sums: Sequence[Tensor]) -> None:
    """Stores the sums of gradients over replicas for `DeduplicatedAllReduce`."""
    _last_all_reduce.set((gradients, sums))


class DeduplicatedAllReduce(keras.optimizers.Optimizer):
    """Mixin for optimizers that reuses the sums from `remember_all_reduce`. Abstract."""

    def _all_reduce_sum_gradients(
        self, grads_and_vars: Iterable[tuple[Tensor, Any]]
    ) -> list[tuple[Tensor, Any]]:
        # Keras' optimizers on TensorFlow sum gradients over replicas in this private method, which
        # has no public hook. Those on JAX and torch do not call it. Gradients that the optimizer
        # scaled or clipped after they were measured are other tensors, and are summed by Keras.
        pairs = list(grads_and_vars)
        gradients, sums = _last_all_reduce.get()
        if len(pairs) != len(gradients) or any(
            own is not summed for summed, (own, _) in zip(gradients, pairs, strict=True)
        ):
            return super()._all_reduce_sum_gradients(pairs)
        return [(total, variable) for total, (_, variable) in zip(sums, pairs, strict=True)]
