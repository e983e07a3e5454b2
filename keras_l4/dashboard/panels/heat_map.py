"""heat_map: one quantity of all layers over all steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from keras_l4.dashboard.binning import Bins, usual_distance
from keras_l4.dashboard.packing import floats, packed
from keras_l4.dashboard.panels._base import Panel, Window, need
from keras_l4.dashboard.parameters import Parameters
from keras_l4.dashboard.source import RunRepository, num_missing
from keras_l4.events.run import Run
from keras_l4.events.segments import concatenate
from keras_l4.records.block import Series

# Rows and columns of a large model: what a browser draws in the time of a blink.
_MOST_CELLS = 200_000
_LEAST_BINS = 100


class HeatMap(Panel):
    """Layers in forward order, by bins of steps, each of which shows its maximum."""

    name = "heat_map"

    def answer(self, source: RunRepository, ask: Parameters) -> Mapping[str, Any]:
        listing = source.listing(ask.text("run"))
        quantity = need(listing, ask.text("quantity"))
        run = source.run(listing, [quantity])
        series = source.once(listing, ("series", quantity), lambda: layer_series(run, quantity))
        return heat_map(series, Window.of(ask, run)) | {
            "quantity": quantity,
            "unit": listing.quantities[quantity].unit,
            "num_missing": num_missing(run),
        }


def layer_series(run: Run, quantity: str) -> tuple[Series, np.ndarray]:
    """A quantity per layer, and `bool[steps, layers]`: whether the model had the layer then."""
    series = run.series(quantity)
    parts = [block.series(quantity) for block in run.blocks if quantity in block.values]
    ones = [Series(p.steps, p.names, np.ones(p.values.shape, np.float32)) for p in parts]
    return series, concatenate(ones, series.names).values == 1


def heat_map(known: tuple[Series, np.ndarray], window: Window) -> dict[str, Any]:
    """The finite maximum per bin `[layers, bins]`, NaN where there is none, and the rest.

    `not_finite` has a row `[layer, bin, NaN, Inf]` for each cell with either, which are numbers
    of steps.
    """
    series, present = known
    bins = _bins(series, window)
    rows = bins.rows(series.steps)
    steps, values, present = series.steps[rows], series.values[rows], present[rows]
    finite = np.where(np.isfinite(values), values, np.nan).astype(np.float64)
    num_nan = bins.reduce(np.add, steps, (np.isnan(values) & present).astype(np.int32))
    num_inf = bins.reduce(np.add, steps, np.isinf(values).astype(np.int32))
    return {
        "layers": list(series.names),
        "bins": bins.as_dict(),
        "num_measured": len(steps),
        "maximum": floats(bins.reduce(np.fmax, steps, finite).T),
        "not_finite": packed(_sparse(num_nan.T, num_inf.T)),
    }


def _bins(series: Series, window: Window) -> Bins:
    """No narrower than the distance between two measurements, where there are gaps."""
    affordable = max(_MOST_CELLS // max(1, len(series.names)), _LEAST_BINS)
    inside = (series.steps >= window.first_step) & (series.steps <= window.last_step)
    narrowed = replace(window, most_bins=min(window.most_bins, affordable))
    return narrowed.bins(usual_distance(series.steps[inside]))


def _sparse(num_nan: np.ndarray, num_inf: np.ndarray) -> np.ndarray:
    row, column = np.nonzero(num_nan + num_inf)
    cells = (row, column, num_nan[row, column], num_inf[row, column])
    return np.stack(cells, axis=1).astype(np.int32)
