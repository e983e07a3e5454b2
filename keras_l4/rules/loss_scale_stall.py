"""loss-scale-stall: loss scaling skips many consecutive steps."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_l4.records.loss_scaling import MIN_STALL_LENGTH
from keras_l4.rules._base import Rule
from keras_l4.rules._finding import Finding
from keras_l4.rules._run_view import RunView


class LossScaleStall(Rule):
    """Loss scaling skips many consecutive steps.

    What it does: reports the longest sequence of skipped steps if it has at least ten steps. It is
        an error if the sequence lasts until the end of the run, otherwise a warning.
    Why it is bad: a skipped step does not change the weights. Keras' loss scale has no lower bound,
        so it keeps halving and training stops without an error message.
    What to do: find the layer whose gradient is NaN, or use bfloat16, which needs no loss scaling.
    When it is wrong: a very large `initial_scale` takes a few steps to decrease.
    Source: Micikevicius et al. 2018. Ten halvings are a factor of about 1000, and no healthy
        gradient grows that much from one step to the next.
    """

    code = "loss-scale-stall"

    def check(self, run: RunView) -> Iterator[Finding]:
        is_skipped = run.record.block.skipped & ~run.record.block.skipped_by_guard
        start, length = _longest_run(is_skipped)
        if length < MIN_STALL_LENGTH:
            return
        end = start + length - 1
        scale = run.record.block.loss_scale
        is_permanent = end == len(is_skipped) - 1
        paths = {event.variable for event in run.events}
        yield Finding(
            code=self.code,
            title="Loss scaling skips every step" if is_permanent else "Loss scaling stalled",
            severity="error" if is_permanent else "warning",
            layers=run.layer_names([i for i, v in enumerate(run.variables) if v.path in paths]),
            first_step=int(run.steps[start]),
            last_step=int(run.steps[end]),
            evidence={
                "consecutive_skipped_steps": length,
                "expected_below": MIN_STALL_LENGTH,
                "loss_scale_at_start": float(scale[start]),
                "loss_scale_at_end": float(scale[end]),
            },
            explanation=f"{length} consecutive steps were skipped, and the weights did not change. "
            f"The loss scale decreased from {scale[start]:g} to {scale[end]:g}.",
            advice="Find the layer whose gradient is not finite and compute it in float32, or use "
            '"mixed_bfloat16".',
        )


def _longest_run(flags: np.ndarray) -> tuple[int, int]:
    """Returns the start and the length of the longest sequence of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    starts, ends = edges[::2], edges[1::2]
    if not len(starts):
        return 0, 0
    longest = int(np.argmax(ends - starts))
    return int(starts[longest]), int(ends[longest] - starts[longest])
