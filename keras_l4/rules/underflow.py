"""underflow: gradients or updates that are too small for their number format."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_l4.rules._base import Rule
from keras_l4.rules._evidence import RunView
from keras_l4.rules._finding import Finding
from keras_l4.rules._outcome import falls_short, skill
from keras_l4.rules._statistics import early, late, median

_SHARE = 0.5


class Underflow(Rule):
    """Gradients or updates that are too small for their number format.

    What it does: (1) updates that are exactly 0 at most of the looks, though the gradient and the
        learning rate are not: fl(w + Δ) = w in the variable's dtype. (2) In layers that compute in
        float16: the share of the gradient's elements that are zero or subnormal grew by more
        than half over that of the first steps, or is 1 in all of them, so that it is no matter
        of relu. The latter is a warning where the model falls short of half of what could be
        learned.
    Why it is bad: what underflows is lost, and the layer stops learning.
    What to do: float32 variables; loss scaling, or "mixed_bfloat16"; a higher learning rate.
    When it is wrong: a model that has converged has zero gradients, too, but it has learned.
    Source: Micikevicius et al. 2018. Half of the elements: more is lost than kept. float16's
        smallest normal number is 6.1e-5; bfloat16 keeps 8 bits, so that updates below 1/512 of
        the weight vanish.
    """

    code = "underflow"

    def check(self, run: RunView) -> Iterator[Finding]:
        if run.spoiled_at is not None:
            return
        swallowed = _swallowed(run)
        if len(swallowed):
            yield _finding(run, swallowed, "swallowed", "warning")
            return
        lost = _lost(run)
        if len(lost):
            severity = "warning" if falls_short(run) else "info"
            yield _finding(run, lost, "flushed", severity)

    def is_guess(self, finding: Finding) -> bool:
        return True


def _swallowed(run: RunView) -> np.ndarray:
    updates, block = run.values("update_norm"), run.record.block
    if len(updates) < 4 or "gradient_norm" not in block.values:
        return np.empty(0, int)
    rows = block.rows("update_norm")
    usable = (block.learning_rate[rows] > 0) & ~block.skipped[rows]
    gradients = run.values("gradient_norm")[rows]
    silent = (updates == 0) & (gradients > 0) & usable[:, None]
    return np.flatnonzero(silent.mean(axis=0) > _SHARE)


def _lost(run: RunView) -> np.ndarray:
    half = _in_half(run)
    recorded = [v for v in map(run.values, ("zero_fraction", "subnormal_fraction")) if len(v) >= 4]
    if not len(half) or not recorded:
        return np.empty(0, int)
    shares = np.sum(np.nan_to_num(recorded), axis=0)[:, half]
    grew = median(late(shares)) - median(early(shares))
    # No activation stands behind the last bias: at most steps it has a gradient.
    nothing_left = median(shares).min() == 1
    return half if nothing_left else half[grew > _SHARE]


def _in_half(run: RunView) -> np.ndarray:
    """Positions of the variables of layers that compute in float16."""
    layers = run.facts.layers if run.facts else ()
    names = {layer.name for layer in layers if layer.compute_dtype == "float16"}
    return np.flatnonzero([variable.layer in names for variable in run.variables])


def _finding(run: RunView, positions: np.ndarray, kind: str, severity: str) -> Finding:
    first = run.variables[positions[0]]
    what = {
        "swallowed": f"The updates of {first.path} are too small to change it: in {first.dtype} "
        "the sum is rounded to the old weight.",
        "flushed": f"More than half of the gradient of {first.path} is zero or subnormal in "
        "float16, and was not in the first steps, or nothing is left of any.",
    }[kind]
    return Finding(
        code="underflow",
        title="Updates are lost in rounding" if kind == "swallowed" else "Gradients underflow",
        severity="warning" if severity == "warning" else "info",
        layers=run.layers_of(positions),
        first_step=run.first_step,
        last_step=run.last_step,
        evidence={
            "kind": kind,
            "num_variables": len(positions),
            "dtype": first.dtype,
            "share_expected_below": _SHARE,
            "skill": skill(run),
        },
        explanation=what,
        advice="Keep variables in float32, use loss scaling or "
        '"mixed_bfloat16", or raise the learning rate.',
    )
