"""nonfinite: NaN or Inf in the gradients, or in the loss."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_l4.records.annotations import AbortedStep, EpochLogs
from keras_l4.records.nonfinite import NonFinite
from keras_l4.rules._base import Rule
from keras_l4.rules._evidence import RunView
from keras_l4.rules._finding import Finding


class NonFiniteGradients(Rule):
    """NaN or Inf in the gradients, or in the loss.

    What it does: names the first step and variable whose gradient holds NaN or Inf, and how far
        it spread at that step. Steps that loss scaling skipped are left out: overflow is how it
        finds its scale. A norm that float32 cannot hold, of finite elements, is told apart, and so is
        an epoch whose loss is not finite though every gradient in it is, and no step was skipped,
        and a step in which the framework raised an error at such a number, as torch's binary
        cross-entropy does.
    Why it is bad: the update makes the weights NaN, and nothing that is computed from them
        recovers. Where relu turns NaN into 0, the loss does not even show it.
    What to do: look at the batch for NaN; log(0), 0/0 and large exponentials in the loss; lower
        the learning rate, or clip, if the loss rose before.
    When it is wrong: a custom training loop that skips such steps itself.
    Source: IEEE 754; no threshold.
    """

    code = "nonfinite"

    def check(self, run: RunView) -> Iterator[Finding]:
        events = [event for event in run.events if event.kind != "overflow"]
        if events:
            yield _finding(run, events)
        elif run.refusals:
            yield _refusal(run.refusals[-1])
        elif (epoch := _spoiled_epoch(run)) is not None:
            yield _loss(run, epoch)
        elif run.events:
            yield _overflow(run)


def _finding(run: RunView, events: list[NonFinite]) -> Finding:
    first = events[0]
    together = [event.variable for event in events if event.step == first.step]
    in_data = _nonfinite_data(run)
    names = {event.variable for event in events}
    return Finding(
        code="nonfinite",
        title="NaN or Inf in the gradients",
        severity="error",
        layers=run.layers_of([i for i, v in enumerate(run.variables) if v.path in names]),
        first_step=first.step,
        last_step=events[-1].step if run.spoiled_at is None else run.last_step,
        evidence={
            "variable": first.variable,
            "num_nan": first.num_nan,
            "num_inf": first.num_inf,
            "num_elements": first.num_elements,
            "variables_at_first_step": len(together),
            "nonfinite_inputs_and_targets": in_data,
        },
        explanation=f"{first}, and in {len(together) - 1} more variables at that step. "
        + ("From then on no step is finite." if run.spoiled_at is not None else "")
        + (" The data itself holds NaN or Inf." if in_data else ""),
        advice="Clean the data of NaN and Inf."
        if in_data
        else "Look at the batch of that step, and at logarithms, divisions and exponentials in "
        "the loss. If the loss rose before: a lower learning rate, or clipping.",
    )


def _refusal(refusal: AbortedStep) -> Finding:
    return Finding(
        code="nonfinite",
        title="A step was not finished, at NaN or Inf",
        severity="error",
        layers=(),
        first_step=refusal.step + 1,
        last_step=refusal.step + 1,
        evidence={"error": refusal.message},
        explanation=f"In step {refusal.step + 1} the framework met a number that is not finite, and "
        f"raised an error: {refusal.message}. No step before it was bad.",
        advice="FlightRecorder keeps the batch, and keras_l4.replay names the layer. Look at the "
        "batch of that step for NaN.",
    )


def _spoiled_epoch(run: RunView) -> EpochLogs | None:
    """The first whose loss is not finite; skipped steps may have made it so, and did no harm."""
    skipped = set(run.record.block.epochs[run.record.block.skipped].tolist())
    losses = ((logs, logs.logs.get("loss", 0.0)) for logs in run.epochs)
    bad = (logs for logs, loss in losses if not np.isfinite(loss) and logs.epoch not in skipped)
    return next(bad, None)


def _loss(run: RunView, epoch: EpochLogs) -> Finding:
    block = run.record.block
    inside = (block.epochs == epoch.epoch) & (block.steps <= epoch.step)
    finite = block.steps[inside & np.isfinite(block.loss)]
    first = int(finite[-1]) + 1 if len(finite) else int(block.steps[inside][0])
    return Finding(
        code="nonfinite",
        title="The loss is NaN or Inf, though every gradient is finite",
        severity="error",
        layers=(),
        first_step=first,
        last_step=epoch.step,
        evidence={"epoch": epoch.epoch, "loss": str(epoch.logs["loss"])},
        explanation=f"The mean loss of epoch {epoch.epoch} is {epoch.logs['loss']}, from step {first} "
        "on; what is not finite in it passes no gradient on. The model trains by the rest.",
        advice="Look at logarithms, divisions and roots in the loss, and at the targets. Callbacks "
        "that watch the loss see nothing from then on.",
    )


def _overflow(run: RunView) -> Finding:
    first = run.events[0]
    return Finding(
        code="nonfinite",
        title="A gradient norm is beyond float32",
        severity="warning",
        layers=(first.variable.rpartition("/")[0],),
        first_step=first.step,
        last_step=run.events[-1].step,
        evidence={"variable": first.variable, "num_elements": first.num_elements},
        explanation=f"{first}. The next step may be Inf.",
        advice="Lower the learning rate, or clip by norm.",
    )


def _nonfinite_data(run: RunView) -> int:
    if run.facts is None:
        return 0
    parts = (run.facts.inputs, run.facts.targets)
    return sum(part.num_nonfinite for part in parts if part is not None)
