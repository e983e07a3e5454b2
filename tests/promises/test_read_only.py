"""Weights and slots are bit-for-bit those of the stock optimizer without a callback."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, optimizers

import keras_l4
from keras_l4.callbacks import TrainingDiagnostics
from tests.training import STEPS, build, same, state, train

EPOCHS = 2
BACKEND = keras.backend.backend()
GRAPH = {"run_eagerly": False, "jit_compile": False}
XLA = {"run_eagerly": False, "jit_compile": True}
EAGER = {"run_eagerly": True}
EXECUTION = {"run_eagerly": False, "steps_per_execution": 2}
MODES = {
    "tensorflow": {"graph": GRAPH, "xla": XLA, "eager": EAGER, "execution": EXECUTION},
    # Eager JAX compiles every operation, which takes half a minute.
    "jax": {"graph": XLA, "xla": XLA, "eager": XLA, "execution": EXECUTION},
    # torch.compile takes a minute a model, and torch has one step per execution.
    "torch": {mode: {} for mode in ("graph", "xla", "eager", "execution")},
}[BACKEND]


def wide() -> list[Any]:
    return [layers.Dense(64, activation="relu"), layers.Dense(33, activation="gelu"), _last()]


def regularized() -> list[Any]:
    return [layers.Dense(6), layers.BatchNormalization(), layers.Dropout(0.3), _last()]


def scaled() -> list[Any]:
    return [layers.Dense(64), layers.BatchNormalization(), layers.LayerNormalization(), _last()]


def half() -> list[Any]:
    policy = "mixed_float16"
    return [layers.Dense(6, activation="relu", dtype=policy), _last()]


def embedded() -> list[Any]:
    index = layers.Lambda(lambda x: keras.ops.cast(x > 0, "int32"))
    return [index, layers.Embedding(4, 5), layers.Flatten(), _last()]


def einsums() -> list[Any]:
    """Layers with kernels of rank three, whose gradients end with a transpose."""
    first = layers.EinsumDense("abc,cde->abde", (3, 2, 3))
    second = layers.EinsumDense("abde,dec->abc", (3, 4))
    return [layers.Reshape((3, 1)), first, second, layers.Flatten(), _last()]


def _last() -> Any:
    return layers.Dense(1)


CASES = {
    "sgd-nesterov": ("graph", optimizers.SGD, {"momentum": 0.9, "nesterov": True}, wide),
    # The gradient of a scale is a product, and so is its update by plain SGD: XLA may fuse them.
    "sgd-scales": ("graph", optimizers.SGD, {"momentum": 0.9, "nesterov": True}, scaled),
    "adam-scales": ("xla", optimizers.Adam, {}, scaled),
    "sgd-xla": ("xla", optimizers.SGD, {"momentum": 0.9, "clipvalue": 0.1}, regularized),
    "adagrad": ("execution", optimizers.Adagrad, {"clipnorm": 0.1}, wide),
    "rmsprop-centered": ("graph", optimizers.RMSprop, {"centered": True}, regularized),
    "adam-amsgrad": ("eager", optimizers.Adam, {"amsgrad": True}, regularized),
    "adam-xla": ("xla", optimizers.Adam, {}, wide),
    "adam-accumulation": ("graph", optimizers.Adam, {"gradient_accumulation_steps": 2}, wide),
    "adam-accumulation-clip": (
        "eager",
        optimizers.Adam,
        {"gradient_accumulation_steps": 2, "global_clipnorm": 0.1},
        regularized,
    ),
    "adam-embedding": ("graph", optimizers.Adam, {"clipnorm": 0.1}, embedded),
    "adamw-ema": ("graph", optimizers.AdamW, {"use_ema": True, "weight_decay": 0.1}, wide),
    "lion": ("execution", optimizers.Lion, {"global_clipnorm": 0.1}, regularized),
    "adagrad-einsum": ("xla", optimizers.Adagrad, {}, einsums),
    "lion-einsum": ("xla", optimizers.Lion, {}, einsums),
    "our-sgd": ("eager", keras_l4.optimizers.SGD, {}, wide),
    "our-adagrad": ("eager", keras_l4.optimizers.Adagrad, {}, wide),
    "our-rmsprop": ("eager", keras_l4.optimizers.RMSprop, {}, wide),
    "our-adam": ("graph", keras_l4.optimizers.Adam, {}, regularized),
}


def distance(ours: list[np.ndarray], theirs: list[np.ndarray]) -> float:
    return max(float(np.abs(a - b).max(initial=0)) for a, b in zip(ours, theirs, strict=True))


def train_twice(model: Any) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Trains twice from the same start, and returns both states."""
    model.optimizer.build(model.trainable_variables)
    variables = [*model.variables, *model.optimizer.variables]
    start = [np.array(keras.ops.convert_to_numpy(v)) for v in variables]
    train(model, epochs=EPOCHS)
    once = state(model)
    for variable, value in zip(variables, start, strict=True):
        variable.assign(value)
    train(model, epochs=EPOCHS)
    return once, state(model)


def assert_read_only(make: Callable[[type], Any], optimizer: type) -> None:
    """Asserts that recording changes no bit, or no more than a second run does.

    Args:
        make: Builds the model with an optimizer of the class it is called with.
        optimizer: The class.
    """
    stock, again = train_twice(make(getattr(optimizers, optimizer.__name__)))
    watched = make(optimizer)
    steps: list[int] = []
    diagnostics = TrainingDiagnostics(
        every=2, flush_every=2, hooks=[lambda block: steps.extend(block.steps)], verbose=0
    )
    train(watched, diagnostics, epochs=EPOCHS)

    ours = state(watched)
    assert len(steps) == EPOCHS * STEPS // (watched.optimizer.gradient_accumulation_steps or 1)
    if same(stock, again):
        assert same(ours, stock)
    else:
        assert distance(ours, stock) <= distance(again, stock)


@pytest.mark.parametrize("case", CASES)
def test_weights_and_slots_are_those_of_the_stock_optimizer(case: str) -> None:
    mode, optimizer, arguments, make_layers = CASES[case]

    def make(cls: type) -> Any:
        return build(cls(0.01, **arguments), make_layers(), **MODES[mode])

    assert_read_only(make, optimizer)


@pytest.mark.parametrize("mode", ["graph", "eager"] if BACKEND == "tensorflow" else ["graph"])
def test_overflows_under_loss_scaling_are_not_changed(mode: str) -> None:
    # The first steps overflow float16, so that loss scaling skips some.
    with_scale = partial(optimizers.LossScaleOptimizer, initial_scale=2.0**20)

    def make(cls: type) -> Any:
        return build(with_scale(cls(0.01)), half(), **MODES[mode])

    assert_read_only(make, optimizers.Adam)
