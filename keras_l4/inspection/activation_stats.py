"""Statistics of layer outputs; NumPy only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from keras_l4.records.annotations import ActivationStats

NAN = float("nan")
# Derivative relative to its maximum, as a function of the activation's output.
_RELATIVE_DERIVATIVES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sigmoid": lambda a: 4 * a * (1 - a),
    "tanh": lambda a: 1 - a**2,
    "softsign": lambda a: (1 - np.abs(a)) ** 2,
    "hard_sigmoid": lambda a: ((a > 0) & (a < 1)).astype(float),
}
_SATURATED_BELOW = 0.1


def activation_stats(name: str, outputs: np.ndarray, activation: str) -> ActivationStats:
    """Computes the statistics of one layer.

    Args:
        name: Name of the layer.
        outputs: Its outputs, `[examples, ..., units]`. NaN and Inf count as 0, except in
            `num_nonfinite`.
        activation: Name of its activation function.
    """
    values = np.atleast_1d(np.nan_to_num(outputs, posinf=0.0, neginf=0.0))
    units = values.reshape(-1, values.shape[-1]) if values.ndim > 1 else values[:, None]
    derivative = _RELATIVE_DERIVATIVES.get(activation)
    derivatives = None if derivative is None or not values.size else derivative(values)
    is_saturated = None if derivatives is None else derivatives < _SATURATED_BELOW
    return ActivationStats(
        name=name,
        width=units.shape[1],
        mean_abs=float(np.abs(values).mean()) if values.size else 0.0,
        std=float(values.std()) if values.size else 0.0,
        zero_fraction=float((values == 0).mean()) if values.size else 0.0,
        dead_unit_fraction=float((units == 0).all(axis=0).mean()) if units.size else 0.0,
        mean_relative_derivative=NAN if derivatives is None else float(derivatives.mean()),
        saturated_fraction=NAN if is_saturated is None else float(is_saturated.mean()),
        variation=variation(values),
        num_nonfinite=int((~np.isfinite(outputs)).sum()),
    )


def variation(values: np.ndarray) -> float:
    """Returns the largest standard deviation over examples, relative to the RMS of all elements."""
    scale = float(np.sqrt(np.mean(np.square(values)))) if values.size else 0.0
    if not scale:
        return 0.0
    return float(values.reshape(len(values), -1).std(axis=0).max() / scale)
