"""heat_map: one quantity of all layers over steps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from keras_l4.dashboard.array_json import encode_array, encode_float32
from keras_l4.dashboard.binning import Bins, median_interval
from keras_l4.dashboard.panel import Json, Panel, StepRange, require_quantity
from keras_l4.dashboard.parameters import Parameters
from keras_l4.dashboard.run_index import RunIndex
from keras_l4.dashboard.run_repository import RunRepository, num_missing_steps
from keras_l4.events.run import Run
from keras_l4.events.segments import concatenate_series
from keras_l4.records.block import Series

# A browser draws this many cells without a noticeable delay.
_MAX_CELLS = 200_000
_MIN_BINS = 100


@dataclass(frozen=True)
class LayerSeries:
    """A quantity per layer.

    Attributes:
        series: The values `[steps, layers]`; layers are in forward order.
        exists: `bool[steps, layers]`: whether the model had the layer at that step. A resumed
            run may have other layers. The value is NaN where it had not.
    """

    series: Series
    exists: np.ndarray


class HeatMapPanel(Panel):
    """The maximum of a quantity per layer and bin of steps."""

    name = "heat_map"

    def respond(self, repository: RunRepository, parameters: Parameters) -> Json:
        index = repository.index(parameters.text("run"))
        quantity = require_quantity(index, parameters.text("quantity"))
        run = repository.read(index, [quantity])
        layers = cached_layer_series(repository, index, run, quantity)
        return heat_map_json(layers, StepRange.from_request(parameters, run)) | {
            "quantity": quantity,
            "unit": index.quantities[quantity].unit,
            "num_missing": num_missing_steps(run),
        }


def cached_layer_series(
    repository: RunRepository, index: RunIndex, run: Run, quantity: str
) -> LayerSeries:
    """Pools a quantity into layers, once per version of the run."""
    key = ("layer_series", quantity)
    return repository.cached(index, key, lambda: _layer_series(run, quantity))


def _layer_series(run: Run, quantity: str) -> LayerSeries:
    series = run.series(quantity)
    parts = [block.series(quantity) for block in run.blocks if quantity in block.values]
    # `concatenate_series` fills in NaN for layers that a block does not have.
    ones = [Series(p.steps, p.names, np.ones(p.values.shape, np.float32)) for p in parts]
    return LayerSeries(series, concatenate_series(ones, series.names).values == 1)


def heat_map_json(layers: LayerSeries, steps: StepRange) -> dict[str, Any]:
    """Returns the finite maximum per layer and bin, and how many values were NaN or Inf.

    `nonfinite` is sparse: one row `[layer, bin, steps with NaN, steps with Inf]` per cell that
    has either.
    """
    bins = _affordable_bins(layers.series, steps)
    rows = bins.rows_within(layers.series.steps)
    in_bins, values = layers.series.steps[rows], layers.series.values[rows]
    finite = np.where(np.isfinite(values), values, np.nan).astype(np.float64)
    is_nan = np.isnan(values) & layers.exists[rows]
    num_nan = bins.reduce(np.add, in_bins, is_nan.astype(np.int32))
    num_inf = bins.reduce(np.add, in_bins, np.isinf(values).astype(np.int32))
    return {
        "layers": list(layers.series.names),
        "bins": bins.as_dict(),
        "num_measured": len(in_bins),
        "maximum": encode_float32(bins.reduce(np.fmax, in_bins, finite).T),
        "nonfinite": encode_array(_nonzero_cells(num_nan.T, num_inf.T)),
    }


def _affordable_bins(series: Series, steps: StepRange) -> Bins:
    """Returns bins that limit the number of cells.

    They are at least as wide as the usual interval between two measurements: narrower bins would
    leave empty stripes between sampled steps.
    """
    max_bins = max(_MAX_CELLS // max(1, len(series.names)), _MIN_BINS)
    is_shown = (series.steps >= steps.first_step) & (series.steps <= steps.last_step)
    limited = replace(steps, max_bins=min(steps.max_bins, max_bins))
    return limited.bins(median_interval(series.steps[is_shown]))


def _nonzero_cells(num_nan: np.ndarray, num_inf: np.ndarray) -> np.ndarray:
    row, column = np.nonzero(num_nan + num_inf)
    cells = (row, column, num_nan[row, column], num_inf[row, column])
    return np.stack(cells, axis=1).astype(np.int32)
