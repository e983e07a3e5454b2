"""divergence: where two runs begin to differ."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from keras_l4.dashboard.panel import Json, Panel, require_quantity
from keras_l4.dashboard.parameters import Parameters
from keras_l4.dashboard.run_repository import RunRepository
from keras_l4.events.divergence import Difference, find_divergence
from keras_l4.events.run import Run

_QUANTITY = "gradient_norm"


class DivergencePanel(Panel):
    """The first step and layer at which the gradient norms of two runs differ."""

    name = "divergence"

    def respond(self, repository: RunRepository, parameters: Parameters) -> Json:
        indexes = [repository.index(parameters.text(name)) for name in ("run", "other")]
        one, other = (
            repository.read(index, [require_quantity(index, _QUANTITY)]) for index in indexes
        )
        return divergence_json(one, other)


def divergence_json(one: Run, other: Run) -> dict[str, Any]:
    """Returns the first difference, and the first significant one; null if there is none."""
    divergence = find_divergence(one, other, _QUANTITY)
    if divergence is None:
        return {
            "comparable": False,
            "first_difference": None,
            "first_significant_difference": None,
        }
    return {
        "comparable": True,
        "first_difference": _difference_json(divergence.first_difference),
        "first_significant_difference": _difference_json(divergence.first_significant_difference),
    }


def _difference_json(difference: Difference | None) -> dict[str, Any] | None:
    """Returns the two values as text, since JSON has no NaN."""
    if difference is None:
        return None
    values = {"one": f"{difference.one:.6g}", "other": f"{difference.other:.6g}"}
    return asdict(difference) | values
