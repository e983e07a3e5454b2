"""surface: a slice of the loss surface, with the way that the weights took."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_l4.dashboard.packing import packed
from keras_l4.dashboard.panels._base import Panel, standing
from keras_l4.dashboard.parameters import Parameters
from keras_l4.dashboard.source import RunRepository
from keras_l4.records.annotations import SurfaceSlice


class Surface(Panel):
    """The last slice that the `Curvature` callback cut."""

    name = "surface"

    def answer(self, source: RunRepository, ask: Parameters) -> Mapping[str, Any]:
        run = source.run(source.listing(ask.text("run")), (), ["surface"])
        found = standing(run, SurfaceSlice)
        return {"surface": surface(found[-1]) if found else None}


def surface(note: SurfaceSlice) -> dict[str, Any]:
    """The numbers of a slice."""
    arrays = ("multiples", "loss", "path", "path_loss")
    plain = ("step", "epoch", "directions", "path_steps", "explained_variance", "unknown_filters")
    return {name: vars(note)[name] for name in plain} | {
        name: packed(np.array(vars(note)[name], np.float64)) for name in arrays
    }
