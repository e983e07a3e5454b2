"""depth_profile: the gradient norm over depth at one step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.stats import theilslopes

from keras_l4.dashboard.packing import floats
from keras_l4.dashboard.panels._base import Panel, need
from keras_l4.dashboard.panels.heat_map import layer_series
from keras_l4.dashboard.parameters import MOST, Parameters
from keras_l4.dashboard.source import RunRepository
from keras_l4.records.block import Series

_QUANTITY = "gradient_norm"
_LEAST_LAYERS = 3


class DepthProfile(Panel):
    """How the gradient fades, or grows, on its way to the first layers."""

    name = "depth_profile"

    def answer(self, source: RunRepository, ask: Parameters) -> Mapping[str, Any]:
        listing = source.listing(ask.text("run"))
        run = source.run(listing, [need(listing, _QUANTITY)])
        series, _ = source.once(
            listing, ("series", _QUANTITY), lambda: layer_series(run, _QUANTITY)
        )
        return depth_profile(series, ask.whole("step", MOST))


def depth_profile(series: Series, step: int) -> dict[str, Any]:
    """The norm of each layer at the last measured step up to `step`, with the fitted decay."""
    row = max(0, int(np.searchsorted(series.steps, step, side="right")) - 1)
    norms = np.asarray(series.values[row], np.float64)
    return {
        "step": int(series.steps[row]),
        "steps": [int(series.steps[0]), int(series.steps[-1])],
        "layers": list(series.names),
        "norms": floats(norms),
        "fit": decay(norms),
    }


def decay(norms: np.ndarray) -> dict[str, float] | None:
    """Theil–Sen fit of log₁₀ of the norm over depth; None for fewer than three layers.

    `per_layer` is the factor from one layer to the one before it, `low` and `high` its 95 %
    confidence interval; the line is `intercept` + `slope` · depth, in log₁₀. Sen 1968.

    >>> round(decay(np.array([1e-3, 1e-2, 1e-1]))["per_layer"], 3)
    0.1
    """
    depth = np.flatnonzero(np.isfinite(norms) & (norms > 0))
    if len(depth) < _LEAST_LAYERS:
        return None
    slope, intercept, low, high = theilslopes(np.log10(norms[depth]), depth, alpha=0.95)
    return {
        "slope": float(slope),
        "intercept": float(intercept),
        "per_layer": float(10**-slope),
        "low": float(10**-high),
        "high": float(10**-low),
    }
