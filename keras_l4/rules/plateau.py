"""plateau: the loss does not change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from keras_l4.records.annotations import CurvatureMeasurement
from keras_l4.rules._base import Rule
from keras_l4.rules._finding import Finding
from keras_l4.rules._run_view import RunView
from keras_l4.rules._skill import final_skill, is_no_better_than_constant
from keras_l4.rules._statistics import finite_median, first_quarter, last_quarter

POINT_KIND = "point_kind"
"""Name of the evidence that a finding has only if the curvature was measured on the plateau."""
_MIN_LOSS_CHANGE = 0.01
_MIN_LOSS_WINDOWS = 6
# Ratio of the late to the early gradient norm, below which the gradient has vanished.
_FLAT_GRADIENT_RATIO = 0.1
_TITLES = {
    "converged": "The run has converged",
    "flat": "The loss is on a plateau",
    "noise": "The loss does not decrease although there is a gradient",
}
_ADVICE = {
    "converged": "Stop here, or lower the learning rate to decrease the loss a little more.",
    "flat": "Try another initialization, normalization, or a higher learning rate.",
    "noise": "Check that inputs and targets belong together; try larger batches or another "
    "learning rate.",
}


class Plateau(Rule):
    """The loss does not change: a flat region, a converged run, or noise.

    What it does: looks at runs whose loss changed by less than 1 % of its first value in the
        second half, or whose model is no better than a constant prediction, and distinguishes
        three kinds. Converged: the model has learned (info). Flat: it has not, and the gradient
        norm fell below a tenth of its early value. Noise: it has not, although the gradient is
        as large as before. The latter two are a warning, and info if another rule found a cause.
        With a `Curvature` callback, which measures because of this finding, the finding also
        names the kind of point, as defined by `keras_l4.curvature.classify`.
    Why it is bad: further training has no effect.
    What to do: converged: stop. Flat: try another initialization, normalization, or a higher
        learning rate. Noise: check that inputs and targets belong together; try larger batches
        or a lower learning rate.
    When it is wrong: targets that cannot be predicted look like noise.
    Source: Dauphin et al. 2014 (plateaus). A change of 1 % of the first loss is the smallest that
        is visible in a plot.
    """

    code = "plateau"

    def check(self, run: RunView) -> Iterator[Finding]:
        windows = run.loss_windows
        if len(windows) < _MIN_LOSS_WINDOWS or run.nonfinite_since is not None:
            return
        second_half = windows[len(windows) // 2 :]
        change = float(np.ptp([second_half[0], second_half[-1]]) / max(abs(windows[0]), 1e-12))
        kind = _kind(run)
        if change > _MIN_LOSS_CHANGE and kind == "converged":
            return
        first_step = int(run.steps[len(run.steps) // 2])
        curvature = _curvature_evidence(run, first_step)
        yield Finding(
            code=self.code,
            title=_TITLES[kind],
            severity="info" if kind == "converged" else "warning",
            layers=(),
            first_step=first_step,
            last_step=run.last_step,
            evidence={
                "kind": kind,
                "relative_loss_change": change,
                "expected_above": _MIN_LOSS_CHANGE,
                "late_to_early_gradient_ratio": _gradient_ratio(run),
                "skill": final_skill(run),
                **curvature.evidence,
            },
            explanation=f"In the second half of the run, the loss changed by {change:.2%} of its "
            "first value"
            + (
                "."
                if kind == "converged"
                else ", and the model is no better than a constant prediction."
            )
            + curvature.explanation,
            advice=_ADVICE[kind],
        )

    def is_tentative(self, finding: Finding) -> bool:
        return True


def _kind(run: RunView) -> str:
    if not is_no_better_than_constant(run):
        return "converged"
    return "flat" if _gradient_ratio(run) < _FLAT_GRADIENT_RATIO else "noise"


def _gradient_ratio(run: RunView) -> float:
    """Returns the ratio of the late to the early gradient norm; 0 if there is no early one."""
    norms = run.record.block.global_gradient_norm[:, None]
    early = float(finite_median(first_quarter(norms))[0])
    return float(finite_median(last_quarter(norms))[0] / early) if early else 0.0


@dataclass(frozen=True)
class _CurvatureEvidence:
    """The part of a finding that is based on a measurement of the curvature.

    Attributes:
        evidence: Name to measured value; empty without a measurement.
        explanation: One sentence; empty without a measurement.
    """

    evidence: Mapping[str, float | int | str]
    explanation: str


def _curvature_evidence(run: RunView, first_step: int) -> _CurvatureEvidence:
    """Returns the evidence of the last measurement, if it was made at `first_step` or later."""
    curvature = run.last_curvature
    if curvature is None or curvature.step < first_step:
        return _CurvatureEvidence({}, "")
    return _CurvatureEvidence(_curvature_values(curvature), _curvature_sentence(curvature))


def _curvature_values(curvature: CurvatureMeasurement) -> dict[str, float | int | str]:
    values = {
        "gradient_norm": curvature.gradient_norm,
        "smallest_curvature": curvature.smallest,
        "largest_curvature": curvature.largest,
        "noise_scale": curvature.noise_scale,
    }
    measured = {name: value for name, value in values.items() if not np.isnan(value)}
    changes = {f"loss_change_{name}": change for name, change in curvature.changes.items()}
    distance = {"distance": curvature.distance} if changes else {}
    return {
        POINT_KIND: curvature.kind,
        "measured_at_step": curvature.step,
        **measured,
        **distance,
        **changes,
    }


def _curvature_sentence(curvature: CurvatureMeasurement) -> str:
    sentence = (
        f" Measured after step {curvature.step}: {curvature.kind}, gradient norm "
        f"{curvature.gradient_norm:.2g}, curvature from {curvature.smallest:.2g} to "
        f"{curvature.largest:.2g}"
    )
    if curvature.changes:
        low, high = min(curvature.changes.values()), max(curvature.changes.values())
        sentence += (
            f"; at a distance of {curvature.distance:.2g} the loss changes by {low:+.2g} to "
            f"{high:+.2g}"
        )
    if not np.isnan(curvature.noise_scale):
        sentence += f"; gradient noise scale {curvature.noise_scale:.3g} examples"
    return f"{sentence}."
