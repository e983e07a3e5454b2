"""The modes: each is a model, options of the optimizer, and a way to compile and train."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras

from benchmarks.matrix import architectures
from benchmarks.matrix.trainers import train_by_fit, train_in_loop, train_on_batches

_BACKEND = keras.backend.backend()
_GRAPH = {"run_eagerly": False, "jit_compile": False}
# On TensorFlow, tracing takes longer than a few eager steps, and most modes do not depend on it.
_EAGER = {"run_eagerly": _BACKEND == "tensorflow"}


@dataclass(frozen=True)
class Mode:
    """A row of the matrix.

    Attributes:
        label: Name of the row in the README.
        architecture: Creates the model.
        options: Arguments of the optimizer. A callable learning rate is called to create it.
        wrap: Wraps the optimizer.
        compile_options: Arguments of `compile`.
        policy: The dtype policy.
        overflow_at: Batch whose inputs overflow float16, or None.
        callbacks: Creates the other callbacks of `fit`.
        train: Trains the model, see `trainers.py`.
        num_batches: Batches in each of the two epochs.
        num_outputs: Number of outputs of the model, and of its inputs.
        rtol: Relative tolerance of the gradient norms, which depends on the dtype.
        slow_on: Backends on which a cell takes a minute. There, only a few optimizers are trained,
            and the tests leave the mode out.
    """

    label: str
    architecture: Callable[[], Any] = architectures.mlp
    options: Mapping[str, Any] = field(default_factory=dict)
    wrap: Callable[[Any], Any] = lambda optimizer: optimizer
    compile_options: Mapping[str, Any] = field(default_factory=lambda: _EAGER)
    policy: str = "float32"
    overflow_at: int | None = None
    callbacks: Callable[[], Sequence[Any]] = list
    train: Callable[..., Any] = train_by_fit
    num_batches: int = 5
    num_outputs: int = 1
    rtol: float = 1e-5
    slow_on: tuple[str, ...] = ()

    @property
    def steps_per_execution(self) -> int:
        return int(self.compile_options.get("steps_per_execution", 1))


def _with_steps_per_execution(steps: int) -> Mode:
    return Mode(
        f"`steps_per_execution={steps}`",
        # Without jit, JAX would compile each operation of each step on its own.
        compile_options=_GRAPH | {"jit_compile": _BACKEND == "jax", "steps_per_execution": steps},
        num_batches=9,
    )


def _with_loss_scale(optimizer: Any) -> Any:
    return keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=2.0**8)


def _half_of(epoch: int, learning_rate: float) -> float:
    return learning_rate / 2


def _scheduler_callback() -> Sequence[Any]:
    return [keras.callbacks.LearningRateScheduler(_half_of)]


def _plateau_callback() -> Sequence[Any]:
    return [keras.callbacks.ReduceLROnPlateau("loss", patience=0, min_delta=1e3)]


def _decay_schedule() -> Any:
    return keras.optimizers.schedules.ExponentialDecay(0.01, decay_steps=2, decay_rate=0.7)


def _constant_rate() -> float:
    return 0.005


MODES = {
    "graph": Mode("graph, without XLA", compile_options=_GRAPH),
    "jit": Mode("`jit_compile=True`", compile_options={"jit_compile": True}, slow_on=("torch",)),
    "eager": Mode("`run_eagerly=True`", compile_options={"run_eagerly": True}, slow_on=("jax",)),
    "execution-2": _with_steps_per_execution(2),
    "execution-7": _with_steps_per_execution(7),
    "execution-32": _with_steps_per_execution(32),
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
        wrap=_with_loss_scale,
        policy="mixed_float16",
        overflow_at=4,
        rtol=2e-2,
    ),
    "loss_scale_factor": Mode("`loss_scale_factor`", options={"loss_scale_factor": 64.0}),
    "mixed_bfloat16": Mode("`mixed_bfloat16`", policy="mixed_bfloat16", rtol=5e-2),
    "float64": Mode("`float64`", policy="float64"),
    "schedule": Mode("a learning-rate schedule", options={"learning_rate": _decay_schedule}),
    "scheduler": Mode("`LearningRateScheduler`", callbacks=_scheduler_callback),
    "plateau": Mode("`ReduceLROnPlateau`", callbacks=_plateau_callback),
    "callable": Mode("a callable learning rate", options={"learning_rate": lambda: _constant_rate}),
    "functional": Mode("several inputs and outputs", architectures.functional, num_outputs=2),
    "subclassed": Mode("subclassed, built by its first batch", architectures.subclassed),
    "nested": Mode("nested models, a shared layer", architectures.nested),
    "recurrent": Mode("LSTM", architectures.recurrent),
    "embedding": Mode("Embedding", architectures.embedding),
    "attention": Mode("attention, LayerNormalization", architectures.attention),
    "regularized": Mode("convolution, BatchNormalization, Dropout", architectures.regularized),
    "add_loss": Mode("`add_loss`, regularizers", architectures.with_losses),
    "train_step": Mode("custom `train_step`", architectures.custom_step),
    "loop": Mode("a loop without `fit`, in `watch`", train=train_in_loop),
    "train_on_batch": Mode("`train_on_batch`, in `watch`", train=train_on_batches),
}
