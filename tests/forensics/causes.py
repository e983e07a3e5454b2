"""Causes of what is not finite, each with the step, the phase and the place where it is born."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from tests.forensics import sick
from tests.forensics.sick import FEATURES
from tests.forensics.steps import dense

BATCH, BAD = 6, 3  # The third of three batches is the bad one, where it is one.

StepTable = tuple[np.ndarray, np.ndarray]


def _untouched(*_: Any) -> None:
    """Most causes need no more than a layer, or a batch."""


@dataclass(frozen=True)
class Cause:
    """What is planted into a model of five layers, and what replay has to say about it.

    Attributes:
        step: The first with a number that is not finite.
        phase: Where it is born.
        layer: Last part of the layer's path; "" for none.
        operation: In plain words; "" for none. Backends write the same function with different ones.
        sick: Makes the second layer.
        spoil: Changes the inputs and targets of batch `BAD`.
        poison: Changes the model before it is trained.
        compiled: Makes the arguments of `compile`.
        policy: Of the dtypes.
    """

    step: int
    phase: str
    layer: str = ""
    operation: tuple[str, ...] = ("",)
    sick: Callable[..., Any] = layers.Identity
    spoil: Callable[[np.ndarray, np.ndarray], None] = _untouched
    poison: Callable[[Any], None] = _untouched
    compiled: Callable[[], dict[str, Any]] = dict
    policy: str = "float32"


@sick.register
def of_logarithms(y: Any, prediction: Any) -> Any:
    """Squared distance to the logarithm of a target that nobody promised to be positive."""
    return ops.mean(ops.square(prediction - ops.log(y)), -1)


def _inputs(value: float) -> Callable[[np.ndarray, np.ndarray], None]:
    def spoil(x: np.ndarray, y: np.ndarray) -> None:
        x[:] = value

    return spoil


def _one_input(value: float) -> Callable[[np.ndarray, np.ndarray], None]:
    def spoil(x: np.ndarray, y: np.ndarray) -> None:
        x[4, 2] = value

    return spoil


def _no_target(x: np.ndarray, y: np.ndarray) -> None:
    y[2] = 0


def _fill(part: str, value: float) -> Callable[[Any], None]:
    """Poisons the first variable, of the model or its optimizer, whose path has that part."""

    def poison(model: Any) -> None:
        variables = [*model.variables, *model.optimizer.variables]
        variable = next(v for v in variables if part in v.path)
        variable.assign(np.full(variable.shape, value, "float32"))

    return poison


CAUSES = {
    "NaN in the data": Cause(3, "data", spoil=_one_input(np.nan)),
    "Inf in the data": Cause(3, "data", spoil=_one_input(np.inf)),
    "log(0) in the loss": Cause(
        *(3, "loss", "", ("log",)), spoil=_no_target, compiled=lambda: {"loss": of_logarithms}
    ),
    "exp overflows": Cause(3, "forward", "sick", ("exp",), sick.Exp, _inputs(25)),
    "division by zero": Cause(3, "forward", "sick", ("divide",), sick.MaskedMean, _inputs(-1)),
    "root at zero": Cause(3, "backward", "sick", ("sqrt",), sick.Root, _inputs(0)),
    "float16 overflows": Cause(
        *(3, "forward", "sick", ("multiply",), lambda **options: sick.Scale(100.0, **options)),
        spoil=_inputs(400),
        compiled=lambda: {"auto_scale_loss": False},
        policy="mixed_float16",
    ),
    "float16 overflows, loss scaled": Cause(
        *(3, "forward", "sick", ("multiply",), lambda **options: sick.Scale(100.0, **options)),
        spoil=_inputs(400),
        policy="mixed_float16",
    ),
    "exploding learning rate": Cause(
        *(2, "forward", "norm", ("power", "square", "squared_difference")),
        compiled=lambda: {"optimizer": keras.optimizers.SGD(1e25)},
    ),
    "poisoned statistics": Cause(1, "weights", "norm", poison=_fill("norm/moving_mean", np.nan)),
    "bad slot": Cause(
        *(1, "optimizer", "first"),
        poison=_fill("first_kernel_velocity", np.nan),
        compiled=lambda: {"optimizer": "adam"},
    ),
    "negative second moment": Cause(
        *(1, "optimizer", "first"),
        poison=_fill("first_kernel_velocity", -1.0),
        compiled=lambda: {"optimizer": "adam"},
    ),
    "custom gradient": Cause(
        1, "backward", "sick", ("multiply", "custom_gradient"), sick.WrongGradient
    ),
    "weights loaded with NaN": Cause(1, "weights", "last", poison=_fill("last/kernel", np.nan)),
}


def model(cause: Cause, architecture: str, **compiled: Any) -> Any:
    """A model with that cause in it, with dropout and BatchNormalization."""
    keras.config.set_dtype_policy(cause.policy)
    stack = [dense(4, use_bias=False, name="first"), cause.sick(name="sick")]
    stack += [layers.BatchNormalization(name="norm"), layers.Dropout(0.2), dense(name="last")]
    defaults = {"optimizer": keras.optimizers.SGD(1e-3)} | cause.compiled()
    made = sick.model(stack, architecture, **defaults, **compiled)
    cause.poison(made)
    return made


def rows(cause: Cause) -> StepTable:
    """Inputs and targets of three batches, all positive but what was spoilt."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0.5, 1.5, (3 * BATCH, FEATURES)).astype("float32")
    y = rng.uniform(0.5, 1.5, (3 * BATCH, 1)).astype("float32")
    bad = slice((BAD - 1) * BATCH, BAD * BATCH)
    cause.spoil(x[bad], y[bad])
    return x, y
