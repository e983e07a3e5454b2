"""The ways of training: each a model, an optimizer's options, and how it is compiled and run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras

from benchmarks.matrix import architectures
from benchmarks.matrix.trainers import by_batch, by_fit, by_loop

_BACKEND = keras.backend.backend()
_GRAPH = {"run_eagerly": False, "jit_compile": False}
# Tracing costs TensorFlow more than a few eager steps, and most modes are not about it.
_EAGER = {"run_eagerly": _BACKEND == "tensorflow"}


@dataclass(frozen=True)
class Mode:
    """One row of the matrix.

    Attributes:
        says: The row, in the words of the README.
        architecture: Makes the model.
        options: Those of the optimizer.
        wrap: Applied to the optimizer.
        compiled: Arguments of `compile`.
        policy: dtype policy.
        overflow_at: The batch whose inputs float16 does not hold.
        callbacks: Makes those that stand beside ours.
        train: How the model is trained.
        num_batches: In each of two epochs.
        num_outputs: Of the model, and as many inputs.
        rtol: Tolerance of gradient norms, where the arithmetic is not float32's.
        slow_on: Backends on which a cell takes a minute, so that it is done for a few optimizers
            only, and by `make matrix` only.
    """

    says: str
    architecture: Callable[[], Any] = architectures.mlp
    options: Mapping[str, Any] = field(default_factory=dict)
    wrap: Callable[[Any], Any] = lambda optimizer: optimizer
    compiled: Mapping[str, Any] = field(default_factory=lambda: _EAGER)
    policy: str = "float32"
    overflow_at: int | None = None
    callbacks: Callable[[], Sequence[Any]] = list
    train: Callable[..., Any] = by_fit
    num_batches: int = 5
    num_outputs: int = 1
    rtol: float = 1e-5
    slow_on: tuple[str, ...] = ()

    @property
    def steps_per_execution(self) -> int:
        return int(self.compiled.get("steps_per_execution", 1))


def _executions(steps: int) -> Mode:
    return Mode(
        f"`steps_per_execution={steps}`",
        # JAX would compile each operation of each step by itself.
        compiled=_GRAPH | {"jit_compile": _BACKEND == "jax", "steps_per_execution": steps},
        num_batches=9,
    )


def _scaled(optimizer: Any) -> Any:
    return keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=2.0**8)


def _halving(epoch: int, rate: float) -> float:
    return rate / 2


def _scheduler() -> Sequence[Any]:
    return [keras.callbacks.LearningRateScheduler(_halving)]


def _plateau() -> Sequence[Any]:
    return [keras.callbacks.ReduceLROnPlateau("loss", patience=0, min_delta=1e3)]


def _decay() -> Any:
    return keras.optimizers.schedules.ExponentialDecay(0.01, decay_steps=2, decay_rate=0.7)


def _callable() -> float:
    return 0.005


MODES = {
    "graph": Mode("graph, without XLA", compiled=_GRAPH),
    "jit": Mode("`jit_compile=True`", compiled={"jit_compile": True}, slow_on=("torch",)),
    "eager": Mode("`run_eagerly=True`", compiled={"run_eagerly": True}, slow_on=("jax",)),
    "execution-2": _executions(2),
    "execution-7": _executions(7),
    "execution-32": _executions(32),
    "accumulation": Mode(
        "`gradient_accumulation_steps`", options={"gradient_accumulation_steps": 3}
    ),
    "clipnorm": Mode("`clipnorm`", options={"clipnorm": 0.1}),
    "global_clipnorm": Mode("`global_clipnorm`", options={"global_clipnorm": 0.1}),
    "clipvalue": Mode("`clipvalue`", options={"clipvalue": 0.01}),
    "weight_decay": Mode("`weight_decay`", options={"weight_decay": 0.1}),
    "constraint": Mode("constraints on weights", architectures.constrained),
    "ema": Mode(
        "`use_ema`, with overwrite", options={"use_ema": True, "ema_overwrite_frequency": 4}
    ),
    "mixed_float16": Mode(
        "`mixed_float16`, scaled by Keras, an overflow",
        policy="mixed_float16",
        overflow_at=4,
        rtol=2e-2,
    ),
    "loss_scale": Mode(
        "`LossScaleOptimizer`, an overflow",
        wrap=_scaled,
        policy="mixed_float16",
        overflow_at=4,
        rtol=2e-2,
    ),
    "loss_scale_factor": Mode("`loss_scale_factor`", options={"loss_scale_factor": 64.0}),
    "mixed_bfloat16": Mode("`mixed_bfloat16`", policy="mixed_bfloat16", rtol=5e-2),
    "float64": Mode("`float64`", policy="float64"),
    "schedule": Mode("a learning-rate schedule", options={"learning_rate": _decay}),
    "scheduler": Mode("`LearningRateScheduler`", callbacks=_scheduler),
    "plateau": Mode("`ReduceLROnPlateau`", callbacks=_plateau),
    "callable": Mode("a callable learning rate", options={"learning_rate": lambda: _callable}),
    "functional": Mode("several inputs and outputs", architectures.functional, num_outputs=2),
    "subclassed": Mode("subclassed, built by its first batch", architectures.subclassed),
    "nested": Mode("nested models, a shared layer", architectures.nested),
    "recurrent": Mode("LSTM", architectures.recurrent),
    "embedding": Mode("Embedding", architectures.embedding),
    "attention": Mode("attention, LayerNormalization", architectures.attention),
    "regularized": Mode("convolution, BatchNormalization, Dropout", architectures.regularized),
    "add_loss": Mode("`add_loss`, regularizers", architectures.with_losses),
    "train_step": Mode("custom `train_step`", architectures.custom_step),
    "loop": Mode("a loop without `fit`, in `watch`", train=by_loop),
    "train_on_batch": Mode("`train_on_batch`, in `watch`", train=by_batch),
}
