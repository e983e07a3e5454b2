"""underflow: gradients or updates that are too small for their dtype."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

import numpy as np

from keras_l4.rules._base import Rule
from keras_l4.rules._finding import Finding, Severity
from keras_l4.rules._run_view import RunView
from keras_l4.rules._skill import final_skill, underfits
from keras_l4.rules._statistics import finite_median, first_quarter, last_quarter

_MAX_FRACTION = 0.5
_MIN_SAMPLES = 4
_Kind: TypeAlias = Literal["updates", "gradients"]


class Underflow(Rule):
    """Gradients or updates that are too small for their dtype.

    What it does: reports (1) variables whose update is exactly 0 on more than half of the sampled
        steps although the gradient and the learning rate are not: w + Δw is rounded to w. Reports
        (2) layers that compute in float16 if the fraction of zero or subnormal gradient elements
        grew by more than 0.5 since the first quarter of the run, or is 1 in all of them (so that
        relu cannot be the reason). The latter is a warning if the model underfits (skill below
        0.5), otherwise info. Both are info if another rule found a cause.
    Why it is bad: the layer stops learning.
    What to do: use float32 variables, loss scaling or "mixed_bfloat16", or a higher learning rate.
    When it is wrong: a converged model has gradients of 0, too.
    Source: Micikevicius et al. 2018. Above 0.5, more elements are lost than preserved. float16's
        smallest normal number is 6.1e-5. bfloat16 has 8 bits of precision, so updates below 1/512
        of the weight vanish.
    """

    code = "underflow"

    def check(self, run: RunView) -> Iterator[Finding]:
        if run.nonfinite_since is not None:
            return
        indices = _variables_with_lost_updates(run)
        if len(indices):
            yield _finding(run, indices, "updates", "warning")
            return
        indices = _variables_with_lost_gradients(run)
        if len(indices):
            yield _finding(run, indices, "gradients", "warning" if underfits(run) else "info")

    def is_tentative(self, finding: Finding) -> bool:
        return True


def _variables_with_lost_updates(run: RunView) -> np.ndarray:
    """`int64[n]`: indices of the variables whose updates are rounded to 0."""
    updates, block = run.values("update_norm"), run.record.block
    if len(updates) < _MIN_SAMPLES or "gradient_norm" not in block.values:
        return np.empty(0, int)
    rows = block.rows("update_norm")
    is_applied = (block.learning_rate[rows] > 0) & ~block.skipped[rows]
    gradients = run.values("gradient_norm")[rows]
    is_lost = (updates == 0) & (gradients > 0) & is_applied[:, None]
    return np.flatnonzero(is_lost.mean(axis=0) > _MAX_FRACTION)


def _variables_with_lost_gradients(run: RunView) -> np.ndarray:
    """`int64[n]`: indices of the float16 variables whose gradients underflow."""
    float16 = _float16_variables(run)
    fractions = map(run.values, ("zero_fraction", "subnormal_fraction"))
    recorded = [values for values in fractions if len(values) >= _MIN_SAMPLES]
    if not len(float16) or not recorded:
        return np.empty(0, int)
    lost = np.sum(np.nan_to_num(recorded), axis=0)[:, float16]
    # The last bias has a gradient on most steps, because no activation follows it. If even its
    # elements are all lost, relu is not the reason.
    if finite_median(lost).min() == 1:
        return float16
    growth = finite_median(last_quarter(lost)) - finite_median(first_quarter(lost))
    return float16[growth > _MAX_FRACTION]


def _float16_variables(run: RunView) -> np.ndarray:
    """`int64[n]`: indices of the variables of layers that compute in float16."""
    names = {layer.name for layer in run.layers if layer.compute_dtype == "float16"}
    return np.flatnonzero([variable.layer in names for variable in run.variables])


def _finding(run: RunView, indices: np.ndarray, kind: _Kind, severity: Severity) -> Finding:
    first = run.variables[indices[0]]
    explanation = {
        "updates": f"The updates of {first.path} are too small to change it: in {first.dtype}, "
        "the sum is rounded to the old weight.",
        "gradients": f"More than half of the gradient elements of {first.path} have become zero or "
        "subnormal in float16, or all elements of all variables are.",
    }[kind]
    return Finding(
        code="underflow",
        title="Updates are lost by rounding" if kind == "updates" else "Gradients underflow",
        severity=severity,
        layers=run.layer_names(indices),
        first_step=run.first_step,
        last_step=run.last_step,
        evidence={
            "kind": kind,
            "num_variables": len(indices),
            "dtype": first.dtype,
            "fraction_expected_below": _MAX_FRACTION,
            "skill": final_skill(run),
        },
        explanation=explanation,
        advice='Use float32 variables, loss scaling or "mixed_bfloat16", or a higher learning '
        "rate.",
    )
