"""plateau: the loss does not move."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_l4.rules._base import Rule
from keras_l4.rules._certificate import certificate
from keras_l4.rules._evidence import RunView
from keras_l4.rules._finding import Finding
from keras_l4.rules._outcome import learned_little, skill
from keras_l4.rules._statistics import early, late, median

_FLAT = 0.01


class Plateau(Rule):
    """The loss does not move: a flat region, a converged run, or noise.

    What it does: looks at runs whose loss changed by less than a hundredth of the first loss in their
        second half, or which do no better than a constant prediction, and says which of three it
        is. Converged: the model learned. Flat: it did not, and the gradient is a small part of
        what it was. Noise: it did not, though the gradient is as large as ever. The latter two
        are a warning while no other rule knows a cause. Beside a `Curvature` callback, which
        measures because of it, the finding says what kind of place it is, as
        `keras_l4.curvature.classify` defines it, with the measurements.
    Why it is bad: the time is wasted.
    What to do: converged: stop. Flat: another initialization, normalization, a higher rate.
        Noise: check that inputs and targets belong together; larger batches, a lower rate.
    When it is wrong: targets that nobody could predict look like noise.
    Source: Dauphin et al. 2014 (plateaus). A hundredth of the first loss is what would be seen
        on a plot.
    """

    code = "plateau"

    def check(self, run: RunView) -> Iterator[Finding]:
        windows = run.loss_windows
        if len(windows) < 6 or run.spoiled_at is not None:
            return
        half = windows[len(windows) // 2 :]
        moved = float(np.ptp([half[0], half[-1]]) / max(abs(windows[0]), 1e-12))
        kind = _kind(run)
        if moved > _FLAT and kind == "converged":
            return
        first_step = int(run.steps[len(run.steps) // 2])
        measured = certificate(run, first_step)
        yield Finding(
            code=self.code,
            title={
                "converged": "The run has converged",
                "flat": "The loss is on a plateau",
                "noise": "The loss does not come down, though there is a gradient",
            }[kind],
            severity="info" if kind == "converged" else "warning",
            layers=(),
            first_step=first_step,
            last_step=run.last_step,
            evidence={
                "kind": kind,
                "loss_moved_by_first_loss": float(moved),
                "expected_above": _FLAT,
                "gradient_late_by_early": _fading(run),
                "skill": skill(run),
                **measured.evidence,
            },
            explanation=f"Over the second half of the run the loss moved by {moved:.2%} of its "
            "first value"
            + ("." if kind == "converged" else ", and the model does no better than a constant.")
            + measured.explanation,
            advice={
                "converged": "Stop here, or lower the learning rate for the last bit.",
                "flat": "Try another initialization, normalization, or a higher learning rate.",
                "noise": "Check that inputs and targets belong together; try larger batches or "
                "another learning rate.",
            }[kind],
        )

    def is_guess(self, finding: Finding) -> bool:
        return True


def _kind(run: RunView) -> str:
    if not learned_little(run):
        return "converged"
    return "flat" if _fading(run) < 0.1 else "noise"


def _fading(run: RunView) -> float:
    norms = run.record.block.global_gradient_norm[:, None]
    start = float(median(early(norms))[0])
    return float(median(late(norms))[0] / start) if start else 0.0
