"""curvature: the measurements of the `Curvature` callback, over steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_l4.dashboard.packing import packed
from keras_l4.dashboard.panels._base import Panel, standing
from keras_l4.dashboard.parameters import Parameters
from keras_l4.dashboard.source import RunRepository
from keras_l4.records.annotations import CurvatureMeasurement

_NUMBERS = (
    "loss",
    "gradient_norm",
    "largest",
    "smallest",
    "condition_number",
    "sharpness",
    "threshold",
    "learning_rate",
    "largest_stable_learning_rate",
)


class Curvature(Panel):
    """Extreme eigenvalues of the Hessian, the edge of stability, and the kind of place."""

    name = "curvature"

    def answer(self, source: RunRepository, ask: Parameters) -> Mapping[str, Any]:
        run = source.run(source.listing(ask.text("run")), (), ["curvature"])
        first_step, last_step = int(run.steps[0]), int(run.steps[-1])
        measured = standing(run, CurvatureMeasurement)
        return curvature(measured) | {"first_step": first_step, "last_step": last_step}


def curvature(measured: Sequence[CurvatureMeasurement]) -> dict[str, Any]:
    """All of them: one costs the training so much that there are never many."""
    return {
        "steps": [note.step for note in measured],
        "epochs": [note.epoch for note in measured],
        "kinds": [note.kind for note in measured],
        "is_lower_bound": [note.is_lower_bound for note in measured],
        "numbers": {
            name: packed(np.array([vars(note)[name] for note in measured], np.float64))
            for name in _NUMBERS
        },
    }
