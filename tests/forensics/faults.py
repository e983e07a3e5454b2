"""Faults that make a number non-finite, each with the step, phase and layer of its origin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from tests.forensics import faulty
from tests.forensics.faulty import FEATURES
from tests.forensics.steps import dense

BATCH, BAD_BATCH = 6, 3  # Of three batches, the third may be corrupt.


def _unchanged(*_: Any) -> None:
    """Most faults need only a layer, or only a batch."""


@dataclass(frozen=True)
class Fault:
    """A fault in a model of five layers or in its data, and the expected origin.

    Attributes:
        step: The first step with a non-finite number.
        phase: Phase of the origin.
        layer: Last part of the path of its layer; "" for none.
        operation: Its plain name; several if backends compute the same function differently.
        make_layer: Makes the second layer of the model, which is called "faulty".
        corrupt_batch: Changes the inputs and targets of batch `BAD_BATCH`.
        corrupt_model: Changes the model before it is trained.
        compile_arguments: Makes the arguments of `compile`.
        policy: Dtype policy.
    """

    step: int
    phase: str
    layer: str = ""
    operation: tuple[str, ...] = ("",)
    make_layer: Callable[..., Any] = layers.Identity
    corrupt_batch: Callable[[np.ndarray, np.ndarray], None] = _unchanged
    corrupt_model: Callable[[Any], None] = _unchanged
    compile_arguments: Callable[[], dict[str, Any]] = dict
    policy: str = "float32"


@faulty.register
def squared_log_error(y: Any, prediction: Any) -> Any:
    """Squared distance to the logarithm of the target, which may not be positive."""
    return ops.mean(ops.square(prediction - ops.log(y)), -1)


def _all_inputs(value: float) -> Callable[[np.ndarray, np.ndarray], None]:
    def corrupt(x: np.ndarray, y: np.ndarray) -> None:
        x[:] = value

    return corrupt


def _one_input(value: float) -> Callable[[np.ndarray, np.ndarray], None]:
    def corrupt(x: np.ndarray, y: np.ndarray) -> None:
        x[4, 2] = value

    return corrupt


def _zero_target(x: np.ndarray, y: np.ndarray) -> None:
    y[2] = 0


def _fill(path_part: str, value: float) -> Callable[[Any], None]:
    """Fills the first variable of the model or its optimizer whose path contains `path_part`."""

    def corrupt(model: Any) -> None:
        variables = [*model.variables, *model.optimizer.variables]
        variable = next(v for v in variables if path_part in v.path)
        variable.assign(np.full(variable.shape, value, "float32"))

    return corrupt


def _scale_by_100(**options: Any) -> Any:
    return faulty.Scale(100.0, **options)


FAULTS = {
    "NaN in the data": Fault(3, "data", corrupt_batch=_one_input(np.nan)),
    "Inf in the data": Fault(3, "data", corrupt_batch=_one_input(np.inf)),
    "log(0) in the loss": Fault(
        *(3, "loss", "", ("log",)),
        corrupt_batch=_zero_target,
        compile_arguments=lambda: {"loss": squared_log_error},
    ),
    "exp overflows": Fault(3, "forward", "faulty", ("exp",), faulty.Exp, _all_inputs(25)),
    "division by zero": Fault(
        *(3, "forward", "faulty", ("divide",), faulty.MaskedMean, _all_inputs(-1))
    ),
    "root at zero": Fault(3, "backward", "faulty", ("sqrt",), faulty.Root, _all_inputs(0)),
    "float16 overflows": Fault(
        *(3, "forward", "faulty", ("multiply",), _scale_by_100, _all_inputs(400)),
        compile_arguments=lambda: {"auto_scale_loss": False},
        policy="mixed_float16",
    ),
    "float16 overflows, loss scaled": Fault(
        *(3, "forward", "faulty", ("multiply",), _scale_by_100, _all_inputs(400)),
        policy="mixed_float16",
    ),
    "exploding learning rate": Fault(
        *(2, "forward", "norm", ("power", "square", "squared_difference")),
        compile_arguments=lambda: {"optimizer": keras.optimizers.SGD(1e25)},
    ),
    "NaN in the statistics": Fault(
        1, "weights", "norm", corrupt_model=_fill("norm/moving_mean", np.nan)
    ),
    "NaN in a slot": Fault(
        *(1, "optimizer", "first"),
        corrupt_model=_fill("first_kernel_velocity", np.nan),
        compile_arguments=lambda: {"optimizer": "adam"},
    ),
    "negative second moment": Fault(
        *(1, "optimizer", "first"),
        corrupt_model=_fill("first_kernel_velocity", -1.0),
        compile_arguments=lambda: {"optimizer": "adam"},
    ),
    "custom gradient": Fault(
        1, "backward", "faulty", ("multiply", "custom_gradient"), faulty.WrongGradient
    ),
    "weights loaded with NaN": Fault(
        1, "weights", "last", corrupt_model=_fill("last/kernel", np.nan)
    ),
}


def build(fault: Fault, architecture: str, **compiled: Any) -> Any:
    """Returns a model with the fault, which also has dropout and BatchNormalization."""
    keras.config.set_dtype_policy(fault.policy)
    stack = [dense(4, use_bias=False, name="first"), fault.make_layer(name="faulty")]
    stack += [layers.BatchNormalization(name="norm"), layers.Dropout(0.2), dense(name="last")]
    defaults = {"optimizer": keras.optimizers.SGD(1e-3)} | fault.compile_arguments()
    model = faulty.build(stack, architecture, **defaults, **compiled)
    fault.corrupt_model(model)
    return model


def rows(fault: Fault) -> tuple[np.ndarray, np.ndarray]:
    """Returns inputs and targets of three batches, all positive except in the corrupt batch."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0.5, 1.5, (3 * BATCH, FEATURES)).astype("float32")
    y = rng.uniform(0.5, 1.5, (3 * BATCH, 1)).astype("float32")
    bad = slice((BAD_BATCH - 1) * BATCH, BAD_BATCH * BATCH)
    fault.corrupt_batch(x[bad], y[bad])
    return x, y
