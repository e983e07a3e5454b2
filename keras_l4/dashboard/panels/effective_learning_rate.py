"""effective_learning_rate: what a layer's learning rate really was, beside the nominal one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from tensorboard import errors

from keras_l4.dashboard.packing import Packed, floats, packed
from keras_l4.dashboard.panels._base import Panel, Window, need
from keras_l4.dashboard.parameters import Parameters, short
from keras_l4.dashboard.source import RunRepository
from keras_l4.events.run import Run

_RATE = "effective_learning_rate"
# What a bin shows of a line; without a distribution there is one number per step.
_LINES = {
    f"{_RATE}_p5": np.fmin,
    f"{_RATE}_p50": np.fmax,
    f"{_RATE}_p95": np.fmax,
    _RATE: np.fmax,
}


class EffectiveLearningRate(Panel):
    """Median and 5–95 % band over the elements of a layer."""

    name = "effective_learning_rate"

    def answer(self, source: RunRepository, ask: Parameters) -> Mapping[str, Any]:
        listing = source.listing(ask.text("run"))
        need(listing, _RATE)
        run = source.run(listing, [name for name in _LINES if name in listing.quantities])
        layers = list(dict.fromkeys(variable.layer for variable in run.variables))
        layer = ask.given.get("layer") or layers[0]
        if layer not in layers:
            raise errors.NotFoundError(f"layer={short(layer)}: there is no such layer.")
        window = Window.of(ask, run)
        return effective_learning_rate(run, layer, window) | {"layers": layers}


def effective_learning_rate(run: Run, layer: str, window: Window) -> dict[str, Any]:
    """Lines of one layer, each with the steps of its points.

    Binned like all else: of p5 the least, of the others the greatest value in a bin, so that the
    band is never drawn too narrow.
    """
    lines = {
        name: _line(run, name, layer, window, ufunc)
        for name, ufunc in _LINES.items()
        if name in run.quantities
    }
    lines["nominal"] = _binned(run.steps, run.learning_rate, window, np.fmax)
    return {"layer": layer, "bin_size": window.bins().size, "lines": lines}


def _line(run: Run, name: str, layer: str, window: Window, ufunc: np.ufunc) -> dict[str, Packed]:
    series = run.series(name)
    values = series.values[:, series.names.index(layer)].astype(np.float64)
    return _binned(series.steps, values, window, ufunc)


def _binned(
    steps: np.ndarray, values: np.ndarray, window: Window, ufunc: np.ufunc
) -> dict[str, Packed]:
    """Bins without a measurement have no point: a line goes over them."""
    bins = window.bins()
    rows = bins.rows(steps)
    steps, values = steps[rows], values[rows]
    places = np.unique(bins.place(steps))
    centres = bins.first_step + places * bins.size + (bins.size - 1) / 2
    return {"steps": packed(centres), "values": floats(bins.reduce(ufunc, steps, values)[places])}
