"""Models with prescribed gradients, and helpers that record their training."""

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
from keras_l4.recorder.block_builder import build_block
from keras_l4.recorder.config import RecorderConfig
from keras_l4.recorder.reader import Reader
from keras_l4.records.block import StepBlock
from keras_l4.session.step_index import StepIndex

Shape = tuple[int, ...]
_PER_STEP_FIELDS = tuple(f.name for f in fields(StepBlock) if f.type == "np.ndarray")


class PrescribedGradient(keras.layers.Layer):
    """Computes Σ w·x, so that the gradient of its weights is the mean row of the batch, exactly."""

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
    """Returns a compiled model of `PrescribedGradient` layers, whose sum is the loss.

    Args:
        optimizer: The optimizer.
        layers: Layer name to the shapes of its weights.
        **options: Further arguments of `compile`.
    """
    inputs = [keras.Input((sum(map(math.prod, shapes)),)) for shapes in layers.values()]
    outputs = [
        PrescribedGradient(*shapes, name=name)(x)
        for (name, shapes), x in zip(layers.items(), inputs, strict=True)
    ]
    model = keras.Model(inputs, keras.layers.Add()(outputs) if len(outputs) > 1 else outputs)
    model.compile(optimizer, loss=lambda _, prediction: prediction, **options)
    return model


class WeightHistory(keras.callbacks.Callback):
    """Stores the trainable weights before each batch and after the last one."""

    def __init__(self) -> None:
        super().__init__()
        self.history: list[list[np.ndarray]] = []

    def on_train_begin(self, logs: Any = None) -> None:
        self.history.append(self._read())

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.history.append(self._read())

    def _read(self) -> list[np.ndarray]:
        weights = self.model.trainable_variables
        return [np.array(ops.convert_to_numpy(w), np.float64).ravel() for w in weights]

    def updates(self) -> list[list[np.ndarray]]:
        """Returns the updates of each batch, `[steps][variables]`."""
        pairs = zip(self.history, self.history[1:], strict=False)
        return [[a - b for a, b in zip(after, before, strict=True)] for before, after in pairs]


def train(model: keras.Model, gradients: Sequence[np.ndarray], **options: Any) -> StepBlock:
    """Fits with these gradients, `[steps, elements]` per layer, one step per row."""
    x = [np.asarray(g, np.float32) for g in gradients]
    return fit(model, x if len(x) > 1 else x[0], np.zeros(len(x[0])), batch_size=1, **options)


def fit(model: keras.Model, x: Any, y: Any, **options: Any) -> StepBlock:
    """Fits, and returns all steps as one block.

    Args:
        model: A compiled model.
        x: Inputs.
        y: Targets.
        **options: Arguments of `TrainingDiagnostics` and of `fit`.
    """
    blocks: list[StepBlock] = []
    names = ("quantities", "every", "include", "exclude")
    arguments = {name: options.pop(name) for name in names if name in options}
    diagnostics = TrainingDiagnostics(hooks=[blocks.append], verbose=0, **arguments)
    callbacks = [diagnostics, *options.pop("callbacks", [])]
    model.fit(x, y, shuffle=False, verbose=0, callbacks=callbacks, **options)
    return concatenate_blocks(blocks)


def concatenate_blocks(blocks: Sequence[StepBlock]) -> StepBlock:
    """Concatenates consecutive blocks."""
    first = blocks[0]
    per_step = {f: np.concatenate([getattr(b, f) for b in blocks]) for f in _PER_STEP_FIELDS}
    tables = {
        table: {k: np.concatenate([getattr(b, table)[k] for b in blocks]) for k in content}
        for table, content in (("values", first.values), ("layer_values", first.layer_values))
    }
    return replace(first, **per_step, **tables)


class RecordedOptimizer:
    """An optimizer that records prescribed gradients, without a model.

    Args:
        optimizer: An optimizer that is not built.
        variables: The variables that it updates.
        **config: Arguments of `RecorderConfig`; `every` defaults to 1.
    """

    def __init__(self, optimizer: Any, variables: Sequence[keras.Variable], **config: Any) -> None:
        optimizer.build(variables)
        instrument(optimizer, RecorderConfig(**{"every": 1} | config))
        self._optimizer, self._variables = optimizer, variables
        self._reader = Reader(optimizer.recorder)
        on_jax = keras.backend.backend() == "jax"
        self._apply = self._compiled() if on_jax else optimizer.apply

    def run(self, steps: Sequence[Sequence[Any]]) -> StepBlock:
        """Applies the gradients `[steps][variables]`, and returns the recorded steps."""
        for gradients in steps:
            self._apply([_tensor(g) for g in gradients])
        layout, ring_slice = self._optimizer.recorder.layout, self._reader.read()
        step_index = StepIndex(first_step=1, first_row=0)
        step_index.begin_epoch(0, 0)
        return build_block(self._optimizer.name, layout, ring_slice, step_index)

    def _compiled(self) -> Callable[[Sequence[Any]], None]:
        """Returns a jitted `apply`, as in the JAX trainer. Eager steps would compile every branch anew."""
        import jax

        step = jax.jit(self._optimizer.stateless_apply)

        def apply(gradients: Sequence[Any]) -> None:
            with backend.step_state.expose_in_optimizer_variables(self._optimizer.recorder.rings):
                own = self._optimizer.variables
                updated = step(
                    [v.value for v in own], gradients, [v.value for v in self._variables]
                )
            for variable, value in zip([*self._variables, *own], chain(*updated), strict=True):
                variable.assign(value)

        return apply


def _tensor(gradient: Any) -> Any:
    return ops.convert_to_tensor(gradient) if isinstance(gradient, np.ndarray) else gradient
