"""Parting: where two runs begin to differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keras_l4.events.run import Run

CLEARLY = 0.01
"""Rounding alone, on other hardware or another backend, stays below this for a while."""

_NOTHING = 1e-30


@dataclass(frozen=True)
class Place:
    """One layer at one step, in two runs.

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
    """Where two runs part, over the layers and steps that both have.

    Attributes:
        num_layers: How many layers those are.
        num_steps: How many steps.
        at_all: The first place where the values are not equal; None if they are everywhere.
        clearly: The first where they differ by more than `CLEARLY`, relative to the first run.
    """

    num_layers: int
    num_steps: int
    at_all: Place | None
    clearly: Place | None


def parting(one: Run, other: Run, quantity: str) -> Divergence | None:
    """Where two runs part in a quantity that both recorded; None if they have nothing in common.

    Layers are paired by their names; where these differ, as those do that Keras numbers, and the
    shapes of all variables agree, by their order.
    """
    left, right = one.series(quantity), other.series(quantity)
    names = _paired(one, other)
    steps, rows, others = np.intersect1d(left.steps, right.steps, return_indices=True)
    if not names or not len(steps):
        return None
    here = left.values[rows][:, [left.names.index(n) for n in names]].astype(np.float64)
    there = right.values[others][:, [right.names.index(n) for n in names.values()]]
    there = there.astype(np.float64)

    def first(where: np.ndarray) -> Place | None:
        if not where.any():
            return None
        row, column = np.unravel_index(int(where.argmax()), where.shape)
        values = float(here[row, column]), float(there[row, column])
        return Place(list(names)[column], int(steps[row]), *values)

    differ = ~((here == there) | (np.isnan(here) & np.isnan(there)))
    with np.errstate(invalid="ignore"):
        alike = np.abs(here - there) <= CLEARLY * np.maximum(np.abs(here), _NOTHING)
    return Divergence(len(names), len(steps), first(differ), first(differ & ~alike))


def _paired(one: Run, other: Run) -> dict[str, str]:
    """Layers of the first run, and which of the second is meant by each."""
    left, right = _shapes(one), _shapes(other)
    if set(left) != set(right) and list(left.values()) == list(right.values()):
        return dict(zip(left, right, strict=True))
    return {name: name for name in left if name in right}


def _shapes(run: Run) -> dict[str, list[tuple[int, ...]]]:
    """Shapes of the variables of each layer, in forward order."""
    shapes: dict[str, list[tuple[int, ...]]] = {}
    for variable in run.variables:
        shapes.setdefault(variable.layer, []).append(variable.shape)
    return shapes
