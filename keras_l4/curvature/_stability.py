"""stability: how close an optimizer is to the sharpness at which it diverges."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Unpack

import keras
import numpy as np

from keras_l4 import keras_internals
from keras_l4.curvature._config import CurvatureArguments, CurvatureConfig
from keras_l4.curvature._eigenpairs import lanczos
from keras_l4.curvature._objective import Objective
from keras_l4.curvature._operator import hessian_operator, preconditioned_operator
from keras_l4.curvature._preconditioner import current_optimizer_values, preconditioner


@dataclass(frozen=True)
class Stability:
    """The sharpness that an optimizer sees, and the threshold above which it diverges.

    Attributes:
        optimizer: Name of the optimizer's class.
        sharpness: Largest eigenvalue of P^-1 H, with P the diagonal by which the optimizer divides.
        residual: Error bound of the sharpness.
        threshold: The sharpness above which the optimizer diverges on a quadratic.
        learning_rate: η, the present learning rate.
        largest_stable_learning_rate: The η at which `threshold` would equal `sharpness`; infinite
            if the sharpness is not positive.
    """

    optimizer: str
    sharpness: float
    residual: float
    threshold: float
    learning_rate: float
    largest_stable_learning_rate: float

    @property
    def ratio(self) -> float:
        """Sharpness divided by the threshold. Above 1, the edge of stability, steps grow."""
        return self.sharpness / self.threshold

    def __str__(self) -> str:
        return (
            f"{self.optimizer}: sharpness {self.sharpness:.4g}, {self.ratio:.1%} of the threshold "
            f"{self.threshold:.4g} at learning rate {self.learning_rate:.4g}; stable up to "
            f"{self.largest_stable_learning_rate:.4g}"
        )


def stability(
    model: Any,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    **config: Unpack[CurvatureArguments],
) -> Stability:
    """Measures how close the model's optimizer is to the edge of stability, at its learning rate η.

    The sharpness is λmax of P^-1 H. The thresholds:

        SGD                    2/η                   Cohen et al. 2021
        SGD, heavy ball        (2 + 2β)/η            Cohen et al. 2021
        SGD, Nesterov          (2 + 2β)/((1 + 2β)η)  Cohen et al. 2021
        Adagrad, RMSprop       2/η, with momentum (2 + 2β)/η
        Adam, AdamW            (2 + 2β₁)/((1 - β₁)η) Cohen et al. 2022

    They hold for gradients of all data, on a quadratic, with a constant P. Training with all data
    hovers at the threshold; training with small batches stays below. Clipping and weight decay are
    not included.

    Args:
        model: A compiled model. An adaptive optimizer must have taken a step.
        x: Inputs: an array, or a structure of arrays.
        y: Targets: an array, or a structure of arrays; None if the model adds its own loss.
        sample_weight: Weights of the examples, or None.
        **config: Fields of `keras_l4.curvature.CurvatureConfig`; `batch_size`, `max_steps`,
            `tolerance` and `seed` have an effect.

    Raises:
        TypeError: The data are not arrays, but a dataset, for instance.
        ValueError: The threshold is not known for the optimizer, or it has taken no step yet.

    Example:

    >>> import keras, keras_l4
    >>> bowl = keras_l4.surfaces.quadratic(condition_number=100.0)
    >>> model = bowl.model(keras.optimizers.SGD(0.01, momentum=0.9))
    >>> result = stability(model, *bowl.data())
    >>> round(result.threshold, 2), round(result.ratio, 3)
    (380.0, 0.263)
    >>> round(result.largest_stable_learning_rate, 4)
    0.038
    """
    settings = CurvatureConfig(**config)
    objective = Objective(model, x, y, sample_weight, batch_size=settings.batch_size)
    return objective_stability(model, objective, settings)


def objective_stability(model: Any, objective: Objective, config: CurvatureConfig) -> Stability:
    """Measures the stability on an existing objective of the model; see `stability`."""
    optimizer = keras_internals.unwrap_loss_scaling(model.optimizer)
    factor = _threshold_factor(optimizer)
    with current_optimizer_values(model):
        learning_rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
    operator = preconditioned_operator(hessian_operator(objective), preconditioner(model))
    start = np.random.default_rng(config.seed).normal(size=operator.size)
    pairs = lanczos(operator, start, config.max_steps, config.tolerance)
    sharpness = float(pairs.values[-1])
    return Stability(
        optimizer=type(optimizer).__name__,
        sharpness=sharpness,
        residual=float(pairs.residuals[-1]),
        threshold=factor / learning_rate if learning_rate else float("inf"),
        learning_rate=learning_rate,
        largest_stable_learning_rate=factor / sharpness if sharpness > 0 else float("inf"),
    )


def _threshold_factor(optimizer: Any) -> float:
    """Returns the threshold times the learning rate."""
    # Looked up by `update_step`: a subclass that overrides it has another threshold.
    factor = _THRESHOLD_FACTORS.get(type(optimizer).update_step)
    if factor is None:
        raise ValueError(
            f"{type(optimizer).__name__} has no known threshold of stability: expected SGD, Adagrad, "
            "RMSprop, Adam or AdamW."
        )
    return factor(optimizer)


def _sgd_factor(optimizer: Any) -> float:
    beta = optimizer.momentum
    return (2 + 2 * beta) / (1 + 2 * beta) if optimizer.nesterov else 2 + 2 * beta


def _adam_factor(optimizer: Any) -> float:
    return float((2 + 2 * optimizer.beta_1) / (1 - optimizer.beta_1))


_THRESHOLD_FACTORS: Mapping[Any, Callable[[Any], float]] = {
    keras.optimizers.SGD.update_step: _sgd_factor,
    keras.optimizers.Adagrad.update_step: lambda optimizer: 2.0,
    keras.optimizers.RMSprop.update_step: lambda optimizer: 2 + 2 * optimizer.momentum,
    keras.optimizers.Adam.update_step: _adam_factor,
}
