"""Ways to train a model, each with and without keras_l4."""

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
_WATCH_OPTIONS = {"every": 1, "flush_every": 4, "verbose": 0}


def train_by_fit(model: Any, data: Data, callbacks: Sequence[Any], hooks: Hooks) -> None:
    """Trains two epochs without shuffling. Records the run if there are hooks."""
    x, y = data
    diagnostics = [TrainingDiagnostics(hooks=hooks, **_WATCH_OPTIONS)] if hooks else []
    options = {"batch_size": BATCH, "epochs": 2, "shuffle": False, "verbose": 0}
    model.fit(_unpack_single(x), _unpack_single(y), callbacks=[*callbacks, *diagnostics], **options)


def train_in_loop(model: Any, data: Data, callbacks: Sequence[Any], hooks: Hooks) -> None:
    """Trains in a custom loop, in `watch` if there are hooks."""
    model.optimizer.build(model.trainable_variables)
    if not hooks:
        loops.run(model, model.optimizer, _batches(data), lambda *_: None)
        return
    with keras_l4.watch(model, hooks=hooks, **_WATCH_OPTIONS) as session:
        loops.run(model, model.optimizer, _batches(data), session.step)


def train_on_batches(model: Any, data: Data, callbacks: Sequence[Any], hooks: Hooks) -> None:
    """Trains by `train_on_batch`, in `watch` if there are hooks."""
    if not hooks:
        for x, y in _batches(data):
            model.train_on_batch(x, y)
        return
    with keras_l4.watch(model, hooks=hooks, **_WATCH_OPTIONS) as session:
        for x, y in _batches(data):
            session.step(model.train_on_batch(x, y))


def _batches(data: Data) -> list[tuple[Any, Any]]:
    x, y = _unpack_single(data[0]), _unpack_single(data[1])
    return [(x[i : i + BATCH], y[i : i + BATCH]) for i in range(0, len(x), BATCH)] * 2


def _unpack_single(arrays: list[Any]) -> Any:
    return arrays if len(arrays) > 1 else arrays[0]


class Trajectory(keras.callbacks.Callback):
    """Collects the model's variables before and after each batch, the learning rate and loss scale."""

    def __init__(self) -> None:
        super().__init__()
        self.before: list[list[Any]] = []
        self.after: list[list[Any]] = []
        self.learning_rates: list[float] = []
        self.loss_scales: list[float] = []

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.before.append(self._values())
        self.learning_rates.append(_learning_rate(self.model.optimizer))
        self.loss_scales.append(_loss_scale(self.model.optimizer))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.after.append(self._values())

    def _values(self) -> list[Any]:
        return [keras.ops.convert_to_numpy(v).copy() for v in self.model.variables]


def _learning_rate(optimizer: Any) -> float:
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return _learning_rate(optimizer.inner_optimizer)
    if isinstance(optimizer, keras.optimizers.MultiOptimizer):
        return float("nan")
    return float(keras.ops.convert_to_numpy(optimizer.learning_rate))


def _loss_scale(optimizer: Any) -> float:
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        scale = optimizer.dynamic_scale if optimizer.built else optimizer.initial_scale
        return float(keras.ops.convert_to_numpy(scale))
    return float(optimizer.loss_scale_factor or 1)
