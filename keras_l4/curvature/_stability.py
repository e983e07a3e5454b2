"""stability: how close an optimizer is to the edge at which it diverges."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Unpack

import keras
import numpy as np

from keras_l4 import keras_internals
from keras_l4.curvature._effort import Effort, EffortArguments
from keras_l4.curvature._lanczos import explore
from keras_l4.curvature._objective import Objective
from keras_l4.curvature._operator import hessian, preconditioned
from keras_l4.curvature._preconditioner import optimizer_state, preconditioner


@dataclass(frozen=True)
class Stability:
    """The sharpness that an optimizer sees, against the one at which it begins to diverge.

    Attributes:
        optimizer: Name of its class.
        sharpness: Largest eigenvalue of P^-1 H, with P what the optimizer divides by.
        residual: A bound of the error of it.
        threshold: On a quadratic with a larger sharpness, the optimizer diverges.
        learning_rate: η, as it is now.
        largest_stable_learning_rate: The η at which `threshold` would be `sharpness`; infinite
            where nothing curves upward.
    """

    optimizer: str
    sharpness: float
    residual: float
    threshold: float
    learning_rate: float
    largest_stable_learning_rate: float

    @property
    def ratio(self) -> float:
        """Sharpness by threshold: 1 at the edge of stability, above it the steps grow."""
        return self.sharpness / self.threshold

    def __str__(self) -> str:
        return (
            f"{self.optimizer}: sharpness {self.sharpness:.4g}, {self.ratio:.1%} of the threshold "
            f"{self.threshold:.4g} at learning rate {self.learning_rate:.4g}; stable up to "
            f"{self.largest_stable_learning_rate:.4g}"
        )


def stability(
    model: Any, x: Any, y: Any = None, sample_weight: Any = None, **effort: Unpack[EffortArguments]
) -> Stability:
    """How close the model's optimizer is to the edge of stability, at its learning rate η.

    The sharpness is λmax of P^-1 H. The thresholds:

        SGD                    2/η                   Cohen et al. 2021
        SGD, heavy ball        (2 + 2β)/η            likewise
        SGD, Nesterov          (2 + 2β)/((1 + 2β)η)  likewise
        Adagrad, RMSprop       2/η, with momentum (2 + 2β)/η
        Adam, AdamW            (2 + 2β₁)/((1 - β₁)η) Cohen et al. 2022

    They are those of the whole data on a quadratic with a P that stands still. Training with all
    the data hovers there; with small batches it stays below. Clipping and weight decay are not in
    it.

    Args:
        model: A compiled model; of an adaptive optimizer, which has taken a step.
        x: Inputs: an array, or a structure of them.
        y: Targets, likewise; None where the model adds its own loss.
        sample_weight: Weights of the examples, or None.
        **effort: As for `spectrum`; only `batch_size`, `max_steps`, `tolerance` and `seed` matter.

    Raises:
        TypeError: The data are no arrays, but a dataset, for instance.
        ValueError: No threshold is known for the optimizer, or it has taken no step yet.

    Example:

    >>> import keras, keras_l4
    >>> bowl = keras_l4.surfaces.quadratic(condition_number=100.0)
    >>> model = bowl.model(keras.optimizers.SGD(0.01, momentum=0.9))
    >>> edge = stability(model, *bowl.data())
    >>> round(edge.threshold, 2), round(edge.ratio, 3), round(edge.largest_stable_learning_rate, 4)
    (380.0, 0.263, 0.038)
    """
    limits = Effort(**effort)
    objective = Objective(model, x, y, sample_weight, batch_size=limits.batch_size)
    return stability_of(model, objective, limits)


def stability_of(model: Any, objective: Objective, effort: Effort) -> Stability:
    """As `stability`, of an objective of the model."""
    optimizer = keras_internals.inner_optimizer(model.optimizer)
    factor = _factor(optimizer)
    with optimizer_state(model):
        learning_rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
    operator = preconditioned(hessian(objective), preconditioner(model))
    start = np.random.default_rng(effort.seed).normal(size=operator.size)
    found = explore(operator, start, effort.max_steps, effort.tolerance)
    sharpness = float(found.values[-1])
    return Stability(
        optimizer=type(optimizer).__name__,
        sharpness=sharpness,
        residual=float(found.residuals[-1]),
        threshold=factor / learning_rate if learning_rate else float("inf"),
        learning_rate=learning_rate,
        largest_stable_learning_rate=factor / sharpness if sharpness > 0 else float("inf"),
    )


def _factor(optimizer: Any) -> float:
    """The threshold times the learning rate."""
    # A subclass that changes the update rule has another threshold.
    factor = _FACTORS.get(type(optimizer).update_step)
    if factor is None:
        raise ValueError(
            f"{type(optimizer).__name__} has no known threshold of stability: expected SGD, Adagrad, "
            "RMSprop, Adam or AdamW."
        )
    return factor(optimizer)


def _sgd(optimizer: Any) -> float:
    beta = optimizer.momentum
    return (2 + 2 * beta) / (1 + 2 * beta) if optimizer.nesterov else 2 + 2 * beta


def _adam(optimizer: Any) -> float:
    return float((2 + 2 * optimizer.beta_1) / (1 - optimizer.beta_1))


_FACTORS: Mapping[Any, Callable[[Any], float]] = {
    keras.optimizers.SGD.update_step: _sgd,
    keras.optimizers.Adagrad.update_step: lambda optimizer: 2.0,
    keras.optimizers.RMSprop.update_step: lambda optimizer: 2 + 2 * optimizer.momentum,
    keras.optimizers.Adam.update_step: _adam,
}
