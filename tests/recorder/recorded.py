"""Models whose gradients are known, and what is recorded of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from itertools import chain
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_l4 import backend
from keras_l4.callbacks import TrainingDiagnostics
from keras_l4.optimizers import instrument
from keras_l4.recorder.block_builder import assemble
from keras_l4.recorder.config import RecorderConfig
from keras_l4.recorder.reader import Reader
from keras_l4.records.block import StepBlock
from keras_l4.session.step_index import StepIndex

Shape = tuple[int, ...]
_PER_STEP = tuple(f.name for f in fields(StepBlock) if f.type == "np.ndarray")


class Prescribed(keras.layers.Layer):
    """Σ w·x, so that the gradient of its weights is the mean row of the batch, exactly."""

    def __init__(self, *shapes: Shape, **options: Any) -> None:
        super().__init__(**options)
        self.shapes = shapes

    def build(self, _: Any) -> None:
        self.parts = [
            self.add_weight(shape=shape, initializer="random_normal", name=f"w{i}")
            for i, shape in enumerate(self.shapes)
        ]

    def call(self, x: Any) -> Any:
        flat = ops.concatenate([ops.reshape(part, (-1,)) for part in self.parts])
        return ops.sum(x * flat, axis=-1, keepdims=True)


def prescribed_model(
    optimizer: Any, layers: dict[str, Sequence[Shape]], **options: Any
) -> keras.Model:
    """A compiled model of `Prescribed` layers; the loss is their sum."""
    inputs = [keras.Input((sum(map(math.prod, shapes)),)) for shapes in layers.values()]
    outputs = [
        Prescribed(*shapes, name=name)(x)
        for (name, shapes), x in zip(layers.items(), inputs, strict=True)
    ]
    model = keras.Model(inputs, keras.layers.Add()(outputs) if len(outputs) > 1 else outputs)
    model.compile(optimizer, loss=lambda _, prediction: prediction, **options)
    return model


class Weights(keras.callbacks.Callback):
    """Keeps what the trainable weights were before each batch, and after the last."""

    def __init__(self) -> None:
        super().__init__()
        self.history: list[list[np.ndarray]] = []

    def on_train_begin(self, logs: Any = None) -> None:
        self.history.append(self._now())

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.history.append(self._now())

    def _now(self) -> list[np.ndarray]:
        weights = self.model.trainable_variables
        return [np.array(ops.convert_to_numpy(w), np.float64).ravel() for w in weights]

    def updates(self) -> list[list[np.ndarray]]:
        """`[steps][variables]`: what each batch did."""
        pairs = zip(self.history, self.history[1:], strict=False)
        return [[a - b for a, b in zip(after, before, strict=True)] for before, after in pairs]


def train(model: keras.Model, gradients: Sequence[np.ndarray], **options: Any) -> StepBlock:
    """Fits with these gradients, one `[steps, elements]` per layer, a row a batch."""
    x = [np.asarray(g, np.float32) for g in gradients]
    return fit(model, x if len(x) > 1 else x[0], np.zeros(len(x[0])), batch_size=1, **options)


def fit(model: keras.Model, x: Any, y: Any, **options: Any) -> StepBlock:
    """What a hook gets of one `fit`, as one block."""
    blocks: list[StepBlock] = []
    of_callback = ("quantities", "every", "include", "exclude")
    asked = {k: options.pop(k) for k in of_callback if k in options}
    diagnostics = TrainingDiagnostics(hooks=[blocks.append], verbose=0, **asked)
    callbacks = [diagnostics, *options.pop("callbacks", [])]
    model.fit(x, y, shuffle=False, verbose=0, callbacks=callbacks, **options)
    return joined(blocks)


def joined(blocks: Sequence[StepBlock]) -> StepBlock:
    """Consecutive blocks as one."""
    first = blocks[0]
    per_step = {f: np.concatenate([getattr(b, f) for b in blocks]) for f in _PER_STEP}
    tables = {
        table: {k: np.concatenate([getattr(b, table)[k] for b in blocks]) for k in content}
        for table, content in (("values", first.values), ("layer_values", first.layer_values))
    }
    return replace(first, **per_step, **tables)


class Applied:
    """An optimizer that records the gradients it is given, without a model.

    Args:
        optimizer: Any, not built.
        variables: What it updates.
        settings: Those of the recorder.
    """

    def __init__(
        self, optimizer: Any, variables: Sequence[keras.Variable], **settings: Any
    ) -> None:
        optimizer.build(variables)
        instrument(optimizer, RecorderConfig(**{"every": 1} | settings))
        self._optimizer, self._variables = optimizer, variables
        self._reader = Reader(optimizer.recorder)
        on_jax = keras.backend.backend() == "jax"
        self._apply = self._compiled() if on_jax else optimizer.apply

    def run(self, steps: Sequence[Sequence[Any]]) -> StepBlock:
        """What is recorded of these steps, one gradient per variable each."""
        for gradients in steps:
            self._apply([_tensor(g) for g in gradients])
        recorder, chunk = self._optimizer.recorder, self._reader.read()
        calendar = StepIndex(first_step=1, first_row=0)
        calendar.begin_epoch(0, 0)
        return assemble(self._optimizer.name, recorder.layout, chunk, calendar)

    def _compiled(self) -> Callable[[Sequence[Any]], None]:
        """As the JAX trainer does; JAX would compile every branch anew in each eager step."""
        import jax

        step = jax.jit(self._optimizer.stateless_apply)

        def apply(gradients: Sequence[Any]) -> None:
            with backend.step_state.expose_in_optimizer_variables(self._optimizer.recorder.rings):
                held = self._optimizer.variables
                after = step([v.value for v in held], gradients, [v.value for v in self._variables])
            for variable, value in zip([*self._variables, *held], chain(*after), strict=True):
                variable.assign(value)

        return apply


def _tensor(gradient: Any) -> Any:
    return ops.convert_to_tensor(gradient) if isinstance(gradient, np.ndarray) else gradient
