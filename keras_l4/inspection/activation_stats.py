"""Statistics of what layers answer; NumPy only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from keras_l4.records.annotations import ActivationStats

NAN = float("nan")
# The derivative as a share of its largest, from the activation's own value.
_DERIVATIVES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sigmoid": lambda a: 4 * a * (1 - a),
    "tanh": lambda a: 1 - a**2,
    "softsign": lambda a: (1 - np.abs(a)) ** 2,
    "hard_sigmoid": lambda a: ((a > 0) & (a < 1)).astype(float),
}


def layer_response(name: str, outputs: np.ndarray, activation: str) -> ActivationStats:
    """Statistics of `outputs` `[examples, ..., units]`."""
    num_nonfinite = int((~np.isfinite(outputs)).sum())
    values = np.atleast_1d(np.nan_to_num(outputs, posinf=0.0, neginf=0.0))
    units = values.reshape(-1, values.shape[-1]) if values.ndim > 1 else values[:, None]
    magnitude = float(np.abs(values).mean()) if values.size else 0.0
    slope = _DERIVATIVES.get(activation)
    slopes = None if slope is None or not values.size else slope(values)
    return ActivationStats(
        name=name,
        width=units.shape[1],
        mean_abs=magnitude,
        max_abs=float(np.abs(values).max(initial=0.0)),
        std=float(values.std()) if values.size else 0.0,
        zero_fraction=float((values == 0).mean()) if values.size else 0.0,
        dead_units=float((units == 0).all(axis=0).mean()) if units.size else 0.0,
        local_gradient=NAN if slopes is None else float(slopes.mean()),
        saturated_fraction=NAN if slopes is None else float((slopes < 0.1).mean()),
        variation=variation(values),
        num_nonfinite=num_nonfinite,
    )


def variation(values: np.ndarray) -> float:
    """Largest standard deviation over examples, relative to the magnitude."""
    scale = float(np.sqrt(np.mean(np.square(values)))) if values.size else 0.0
    if not scale:
        return 0.0
    return float(values.reshape(len(values), -1).std(axis=0).max() / scale)
