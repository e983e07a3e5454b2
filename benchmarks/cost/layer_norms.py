"""Gradient norms per layer, as users compute them in a custom train step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import keras
from keras import ops
from variants import Callbacks


def group_by_layer(
    weights: Sequence[keras.Variable], gradients: Sequence[Any]
) -> Iterator[tuple[str, list[Any]]]:
    """Yields each layer with the gradients of its weights."""
    pairs = zip(weights, gradients, strict=True)
    for layer, layer_pairs in groupby(pairs, key=lambda pair: _layer(pair[0])):
        yield layer, [gradient for _, gradient in layer_pairs]


def norms_by_layer(weights: Sequence[keras.Variable], gradients: Sequence[Any]) -> dict[str, Any]:
    """Returns the gradient norm of each layer, with names for the logs."""
    layers = group_by_layer(weights, gradients)
    return {f"gradient_norm/{layer}": _norm(layer_gradients) for layer, layer_gradients in layers}


def _layer(weight: keras.Variable) -> str:
    return str(weight.path.rpartition("/")[0])


def _norm(gradients: Sequence[Any]) -> Any:
    return ops.sqrt(sum(ops.sum(ops.square(gradient)) for gradient in gradients))


class _LogCollector(keras.callbacks.Callback):
    """Collects the logs of each batch."""

    async_safe = True

    def __init__(self) -> None:
        super().__init__()
        self.logs: list[dict[str, float]] = []

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.logs.append(logs or {})


def log_collector(_log_dir: Path) -> Callbacks:
    """Returns a callback that collects the logs in memory and writes nothing."""
    return [_LogCollector()]
