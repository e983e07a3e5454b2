"""What users write by hand: a norm per layer, in a train step of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import keras
from contenders import Callbacks
from keras import ops


def by_layer(
    weights: Sequence[keras.Variable], gradients: Sequence[Any]
) -> Iterator[tuple[str, list[Any]]]:
    """Each layer, and the gradients of its weights."""
    pairs = zip(weights, gradients, strict=True)
    for layer, of_layer in groupby(pairs, key=lambda pair: _layer(pair[0])):
        yield layer, [gradient for _, gradient in of_layer]


def norms(weights: Sequence[keras.Variable], gradients: Sequence[Any]) -> dict[str, Any]:
    """The norm of the gradient of each layer."""
    layers = by_layer(weights, gradients)
    return {f"gradient_norm/{layer}": _norm(of_layer) for layer, of_layer in layers}


def _layer(weight: keras.Variable) -> str:
    return str(weight.path.rpartition("/")[0])


def _norm(gradients: Sequence[Any]) -> Any:
    return ops.sqrt(sum(ops.sum(ops.square(gradient)) for gradient in gradients))


class _Rows(keras.callbacks.Callback):
    """Keeps what each batch logged."""

    async_safe = True

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[dict[str, float]] = []

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.rows.append(logs or {})


def rows(_log_dir: Path) -> Callbacks:
    """In memory: nothing is written."""
    return [_Rows()]
