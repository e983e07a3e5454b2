"""loss-scale-stall: loss scaling skips step after step."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_l4.records.loss_scaling import SKIPPED_IN_A_ROW
from keras_l4.rules._base import Rule
from keras_l4.rules._evidence import RunView
from keras_l4.rules._finding import Finding


class LossScaleStall(Rule):
    """Loss scaling skips step after step.

    What it does: finds the longest row of skipped steps, and what became of the loss scale.
    Why it is bad: a skipped step changes no weight, and Keras' scale has no floor: it halves for
        ever, and training stands still in silence.
    What to do: find the layer whose gradient is NaN; bfloat16, which needs no scaling.
    When it is wrong: a very large `initial_scale` takes a few steps to come down.
    Source: Micikevicius et al. 2018. Ten halvings are a factor of a thousand, which no healthy
        gradient outgrows from one step to the next.
    """

    code = "loss-scale-stall"

    def check(self, run: RunView) -> Iterator[Finding]:
        skipped = run.record.block.skipped & ~run.record.block.held
        begin, length = _longest(skipped)
        if length < SKIPPED_IN_A_ROW:
            return
        scale = run.record.block.loss_scale
        to_the_end = begin + length == len(skipped)
        yield Finding(
            code=self.code,
            title="Loss scaling skips every step" if to_the_end else "Loss scaling stalled",
            severity="error" if to_the_end else "warning",
            layers=run.layers_of([i for i, v in enumerate(run.variables) if v.path in _bad(run)]),
            first_step=int(run.steps[begin]),
            last_step=int(run.steps[begin + length - 1]),
            evidence={
                "skipped_in_a_row": length,
                "expected_below": SKIPPED_IN_A_ROW,
                "loss_scale_at_begin": float(scale[begin]),
                "loss_scale_at_end": float(scale[begin + length - 1]),
            },
            explanation=f"{length} steps in a row were skipped; the loss scale fell from "
            f"{scale[begin]:g} to {scale[begin + length - 1]:g}. No weight changed.",
            advice="Find the layer whose gradient is not finite, and compute it in float32, or "
            'use "mixed_bfloat16".',
        )


def _bad(run: RunView) -> set[str]:
    return {event.variable for event in run.events}


def _longest(skipped: np.ndarray) -> tuple[int, int]:
    """Begin and length of the longest row of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], skipped.astype(int), [0]])))
    begins, ends = edges[::2], edges[1::2]
    if not len(begins):
        return 0, 0
    longest = int(np.argmax(ends - begins))
    return int(begins[longest]), int(ends[longest] - begins[longest])
