"""curvature: the measurements of the `Curvature` callback, over steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keras_l4.dashboard.array_json import encode_array
from keras_l4.dashboard.panel import Json, Panel, not_superseded
from keras_l4.dashboard.parameters import Parameters
from keras_l4.dashboard.run_repository import RunRepository
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


class CurvaturePanel(Panel):
    """Extreme eigenvalues of the Hessian, the stability threshold, and the classification."""

    name = "curvature"

    def respond(self, repository: RunRepository, parameters: Parameters) -> Json:
        run = repository.read(repository.index(parameters.text("run")), (), ["curvature"])
        measurements = not_superseded(run, CurvatureMeasurement)
        return curvature_json(measurements) | {
            "first_step": int(run.steps[0]),
            "last_step": int(run.steps[-1]),
        }


def curvature_json(measurements: Sequence[CurvatureMeasurement]) -> dict[str, object]:
    """Returns all measurements. They are not binned: each is costly, so there are few."""
    return {
        "steps": [m.step for m in measurements],
        "epochs": [m.epoch for m in measurements],
        "kinds": [m.kind for m in measurements],
        "is_lower_bound": [m.is_lower_bound for m in measurements],
        "numbers": {
            name: encode_array(np.array([vars(m)[name] for m in measurements], np.float64))
            for name in _NUMBERS
        },
    }
