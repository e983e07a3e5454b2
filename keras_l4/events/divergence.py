"""Divergence: the first step at which two runs differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keras_l4.events.run import Run

SIGNIFICANT_DIFFERENCE = 0.01
"""Relative difference. Rounding on other hardware or another backend takes many steps to reach it."""

_TINY = 1e-30


@dataclass(frozen=True)
class Difference:
    """Different values of one layer at one step of two runs.

    Attributes:
        layer: Name of the layer in the first run.
        step: The step.
        one: Value in the first run.
        other: Value in the second run.
    """

    layer: str
    step: int
    one: float
    other: float


@dataclass(frozen=True)
class Divergence:
    """The first differences between two runs, over their common layers and steps.

    Attributes:
        num_layers: Number of common layers.
        num_steps: Number of common steps.
        first_difference: The first difference; None if all values are equal.
        first_significant_difference: The first difference of more than `SIGNIFICANT_DIFFERENCE`
            relative to the first run; None if there is none.
    """

    num_layers: int
    num_steps: int
    first_difference: Difference | None
    first_significant_difference: Difference | None


def find_divergence(one: Run, other: Run, quantity: str) -> Divergence | None:
    """Finds where two runs diverge in a quantity that both recorded.

    Layers are paired by name. If the names differ, because Keras numbered the layers differently,
    but all shapes agree, they are paired by order.

    Returns:
        None if the runs have no layer or no step in common.
    """
    series, other_series = one.series(quantity), other.series(quantity)
    other_names = _pair_layers(one, other)
    names = list(other_names)
    steps, rows, other_rows = np.intersect1d(series.steps, other_series.steps, return_indices=True)
    if not names or not len(steps):
        return None
    columns = [series.names.index(name) for name in names]
    other_columns = [other_series.names.index(name) for name in other_names.values()]
    values = series.values[rows][:, columns].astype(np.float64)
    other_values = other_series.values[other_rows][:, other_columns].astype(np.float64)

    def first(mask: np.ndarray) -> Difference | None:
        if not mask.any():
            return None
        row, column = np.unravel_index(int(mask.argmax()), mask.shape)
        pair = float(values[row, column]), float(other_values[row, column])
        return Difference(names[column], int(steps[row]), *pair)

    differs = ~((values == other_values) | (np.isnan(values) & np.isnan(other_values)))
    with np.errstate(invalid="ignore"):
        threshold = SIGNIFICANT_DIFFERENCE * np.maximum(np.abs(values), _TINY)
        is_close = np.abs(values - other_values) <= threshold
    return Divergence(len(names), len(steps), first(differs), first(differs & ~is_close))


def _pair_layers(one: Run, other: Run) -> dict[str, str]:
    """Maps layers of the first run to layers of the second one."""
    shapes, other_shapes = _layer_shapes(one), _layer_shapes(other)
    if set(shapes) != set(other_shapes) and list(shapes.values()) == list(other_shapes.values()):
        return dict(zip(shapes, other_shapes, strict=True))
    return {name: name for name in shapes if name in other_shapes}


def _layer_shapes(run: Run) -> dict[str, list[tuple[int, ...]]]:
    """Returns the shapes of each layer's variables, in forward order."""
    shapes: dict[str, list[tuple[int, ...]]] = {}
    for variable in run.variables:
        shapes.setdefault(variable.layer, []).append(variable.shape)
    return shapes
