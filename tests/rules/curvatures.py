"""Synthetic curvature measurements."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from keras_l4.records.annotations import CurvatureMeasurement, SurfaceSlice
from keras_l4.records.history import Record
from tests.rules.records import record

NAN = float("nan")
HEALTHY = CurvatureMeasurement(
    step=200,
    epoch=20,
    loss=0.1,
    gradient_norm=0.01,
    largest=5.0,
    smallest=-0.1,
    residuals=(1e-5, 1e-5),
    trace=20.0,
    trace_error=0.1,
    condition_number=100.0,
    is_lower_bound=False,
    quantile=0.5,
    kind="descending",
    noise_scale=3.0,
    distance=0.1,
    changes={},
    sharpness=5.0,
    threshold=20.0,
    learning_rate=0.1,
    largest_stable_learning_rate=0.4,
    num_hessian_vector_products=100,
    seconds=1.0,
)

MULTIPLES = (-2.0, -1.0, 0.0, 1.0, 2.0)
BOWL = SurfaceSlice(
    step=200,
    epoch=20,
    directions="hessian",
    multiples=MULTIPLES,
    loss=tuple(tuple(1 + 4 * a * a + (b - 1) ** 2 for b in MULTIPLES) for a in MULTIPLES),
    path=((2.0, -1.0), (0.5, -1.0), (0.0, 0.0)),
    path_steps=(0, 100, 200),
    path_loss=(25.0, NAN, 2.0),
    explained_variance=(),
    unknown_filters=("own/kernel",),
    seconds=1.0,
)
"""Steep along the first direction; along the second, the minimum is one multiple away."""


def measured(base: Record | None = None, **fields: Any) -> Record:
    """Returns a run whose last measurement differs from `HEALTHY` in these fields."""
    notes = (HEALTHY, replace(HEALTHY, **fields))
    return replace(base or record(), curvature_measurements=notes)
