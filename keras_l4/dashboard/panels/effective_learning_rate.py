"""effective_learning_rate: the effective learning rate of a layer, and the nominal one."""

from __future__ import annotations

from typing import Any

import numpy as np
from tensorboard import errors

from keras_l4.dashboard.array_json import EncodedArray, encode_array, encode_float32
from keras_l4.dashboard.panel import Json, Panel, StepRange, require_quantity
from keras_l4.dashboard.parameters import Parameters, quoted
from keras_l4.dashboard.run_repository import RunRepository
from keras_l4.events.run import Run

_RATE = "effective_learning_rate"
# The reduction of each line within a bin. p5 takes the minimum and p95 the maximum, so that the
# band is never drawn narrower than it was at any step.
_REDUCTIONS = {
    f"{_RATE}_p5": np.fmin,
    f"{_RATE}_p50": np.fmax,
    f"{_RATE}_p95": np.fmax,
    _RATE: np.fmax,
}


class EffectiveLearningRatePanel(Panel):
    """Median and 5–95 % band over the elements of a layer, and the nominal learning rate."""

    name = "effective_learning_rate"

    def respond(self, repository: RunRepository, parameters: Parameters) -> Json:
        index = repository.index(parameters.text("run"))
        require_quantity(index, _RATE)
        run = repository.read(index, [name for name in _REDUCTIONS if name in index.quantities])
        layers = list(dict.fromkeys(variable.layer for variable in run.variables))
        layer = parameters.query.get("layer") or layers[0]
        if layer not in layers:
            raise errors.NotFoundError(f"layer={quoted(layer)}: there is no such layer.")
        steps = StepRange.from_request(parameters, run)
        return effective_learning_rate_json(run, layer, steps) | {"layers": layers}


def effective_learning_rate_json(run: Run, layer: str, steps: StepRange) -> dict[str, Any]:
    """Returns the lines of one layer, each with the steps of its points."""
    lines = {
        name: _layer_line(run, name, layer, steps) for name in _REDUCTIONS if name in run.quantities
    }
    lines["nominal"] = _binned_line(run.steps, run.learning_rate, steps, np.fmax)
    return {"layer": layer, "bin_size": steps.bins().size, "lines": lines}


def _layer_line(run: Run, name: str, layer: str, steps: StepRange) -> dict[str, EncodedArray]:
    series = run.series(name)
    values = series.values[:, series.names.index(layer)].astype(np.float64)
    return _binned_line(series.steps, values, steps, _REDUCTIONS[name])


def _binned_line(
    steps: np.ndarray, values: np.ndarray, shown: StepRange, reduction: np.ufunc
) -> dict[str, EncodedArray]:
    """Returns one point per bin with a measurement, at the centre of the bin."""
    bins = shown.bins()
    rows = bins.rows_within(steps)
    steps, values = steps[rows], values[rows]
    measured = np.unique(bins.index_of(steps))
    centres = bins.first_step + measured * bins.size + (bins.size - 1) / 2
    reduced = bins.reduce(reduction, steps, values)[measured]
    return {"steps": encode_array(centres), "values": encode_float32(reduced)}
