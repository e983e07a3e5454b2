"""How a model is trained, watched or not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

import keras_l4
from keras_l4.callbacks import TrainingDiagnostics
from tests import loops

BATCH = 8
Data = tuple[list[Any], list[Any]]
Hooks = Sequence[Any]
_OURS = {"every": 1, "flush_every": 4, "verbose": 0}


def by_fit(model: Any, data: Data, callbacks: Sequence[Any], hooks: Hooks) -> None:
    """Two epochs, not shuffled; recorded where there are hooks."""
    x, y = data
    ours = [TrainingDiagnostics(hooks=hooks, **_OURS)] if hooks else []
    fixed = {"batch_size": BATCH, "epochs": 2, "shuffle": False, "verbose": 0}
    model.fit(_one(x), _one(y), callbacks=[*callbacks, *ours], **fixed)


def by_loop(model: Any, data: Data, callbacks: Sequence[Any], hooks: Hooks) -> None:
    """The loop that its user wrote."""
    model.optimizer.build(model.trainable_variables)
    if not hooks:
        loops.run(model, model.optimizer, _batches(data), lambda *_: None)
        return
    with keras_l4.watch(model, hooks=hooks, **_OURS) as watched:
        loops.run(model, model.optimizer, _batches(data), watched.step)


def by_batch(model: Any, data: Data, callbacks: Sequence[Any], hooks: Hooks) -> None:
    """`train_on_batch`."""
    if not hooks:
        for x, y in _batches(data):
            model.train_on_batch(x, y)
        return
    with keras_l4.watch(model, hooks=hooks, **_OURS) as watched:
        for x, y in _batches(data):
            watched.step(model.train_on_batch(x, y))


def _batches(data: Data) -> list[tuple[Any, Any]]:
    x, y = _one(data[0]), _one(data[1])
    return [(x[i : i + BATCH], y[i : i + BATCH]) for i in range(0, len(x), BATCH)] * 2


def _one(parts: list[Any]) -> Any:
    return parts if len(parts) > 1 else parts[0]


class Trajectory(keras.callbacks.Callback):
    """All variables of the model before and after each batch, its rate and its loss scale."""

    def __init__(self) -> None:
        super().__init__()
        self.before: list[list[Any]] = []
        self.after: list[list[Any]] = []
        self.rates: list[float] = []
        self.scales: list[float] = []

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.before.append(self._state())
        self.rates.append(_rate(self.model.optimizer))
        self.scales.append(_scale(self.model.optimizer))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.after.append(self._state())

    def _state(self) -> list[Any]:
        return [keras.ops.convert_to_numpy(v).copy() for v in self.model.variables]


def _rate(optimizer: Any) -> float:
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return _rate(optimizer.inner_optimizer)
    if isinstance(optimizer, keras.optimizers.MultiOptimizer):
        return float("nan")
    return float(keras.ops.convert_to_numpy(optimizer.learning_rate))


def _scale(optimizer: Any) -> float:
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        scale = optimizer.dynamic_scale if optimizer.built else optimizer.initial_scale
        return float(keras.ops.convert_to_numpy(scale))
    return float(optimizer.loss_scale_factor or 1)
