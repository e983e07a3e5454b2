"""surface: a slice of the loss surface, with the path of the weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_l4.dashboard.array_json import encode_array
from keras_l4.dashboard.panel import Json, Panel, not_superseded
from keras_l4.dashboard.parameters import Parameters
from keras_l4.dashboard.run_repository import RunRepository
from keras_l4.records.annotations import SurfaceSlice

_ARRAYS = ("multiples", "loss", "path", "path_loss")
_PLAIN = ("step", "epoch", "directions", "path_steps", "explained_variance", "unknown_filters")


class SurfacePanel(Panel):
    """The last slice measured by the `Curvature` callback."""

    name = "surface"

    def respond(self, repository: RunRepository, parameters: Parameters) -> Json:
        run = repository.read(repository.index(parameters.text("run")), (), ["surface"])
        slices = not_superseded(run, SurfaceSlice)
        return {"surface": surface_json(slices[-1]) if slices else None}


def surface_json(surface: SurfaceSlice) -> dict[str, Any]:
    """Returns the numbers of a slice; `loss` and `path` may hold NaN and Inf."""
    fields = vars(surface)
    return {name: fields[name] for name in _PLAIN} | {
        name: encode_array(np.array(fields[name], np.float64)) for name in _ARRAYS
    }
