"""depth_profile: the gradient norm of each layer at one step."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import theilslopes

from keras_l4.dashboard.array_json import encode_float32
from keras_l4.dashboard.panel import Json, Panel, require_quantity
from keras_l4.dashboard.panels.heat_map import cached_layer_series
from keras_l4.dashboard.parameters import MAX_SAFE_INTEGER, Parameters
from keras_l4.dashboard.run_repository import RunRepository
from keras_l4.records.block import Series

_QUANTITY = "gradient_norm"
_MIN_LAYERS_FOR_FIT = 3


class DepthProfilePanel(Panel):
    """How the gradient norm decays, or grows, from the output towards the input."""

    name = "depth_profile"

    def respond(self, repository: RunRepository, parameters: Parameters) -> Json:
        index = repository.index(parameters.text("run"))
        run = repository.read(index, [require_quantity(index, _QUANTITY)])
        layers = cached_layer_series(repository, index, run, _QUANTITY)
        return depth_profile_json(layers.series, parameters.integer("step", MAX_SAFE_INTEGER))


def depth_profile_json(series: Series, step: int) -> dict[str, Any]:
    """Returns the norm of each layer at the last measured step up to `step`, with the fit."""
    row = max(0, int(np.searchsorted(series.steps, step, side="right")) - 1)
    norms = np.asarray(series.values[row], np.float64)
    return {
        "step": int(series.steps[row]),
        "steps": [int(series.steps[0]), int(series.steps[-1])],
        "layers": list(series.names),
        "norms": encode_float32(norms),
        "fit": fit_decay(norms),
    }


def fit_decay(norms: np.ndarray) -> dict[str, float] | None:
    """Fits log₁₀ of the norm over depth by the Theil–Sen estimator (Sen 1968).

    Args:
        norms: `float64[layers]`. Zero, NaN and Inf are left out.

    Returns:
        `per_layer`, the factor from one layer to the one before it, with the bounds `low` and
        `high` of its 95 % confidence interval; `slope` and `intercept` of the line
        log₁₀(norm) = intercept + slope · depth. None for fewer than three layers.

    >>> round(fit_decay(np.array([1e-3, 1e-2, 1e-1]))["per_layer"], 3)
    0.1
    """
    depth = np.flatnonzero(np.isfinite(norms) & (norms > 0))
    if len(depth) < _MIN_LAYERS_FOR_FIT:
        return None
    slope, intercept, low, high = theilslopes(np.log10(norms[depth]), depth, alpha=0.95)
    return {
        "slope": float(slope),
        "intercept": float(intercept),
        "per_layer": float(10**-slope),
        "low": float(10**-high),
        "high": float(10**-low),
    }
