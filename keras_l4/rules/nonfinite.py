"""nonfinite: NaN or Inf in the gradients or in the loss."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_l4.records.annotations import AbortedStep, EpochLogs
from keras_l4.records.nonfinite import NonFinite
from keras_l4.rules._base import Rule
from keras_l4.rules._finding import Finding
from keras_l4.rules._run_view import RunView


class NonFiniteGradients(Rule):
    """NaN or Inf in the gradients or in the loss.

    What it does: names the first step and variable whose gradient contains NaN or Inf, and the
        number of affected variables at that step. Ignores steps that loss scaling skipped,
        because it finds its scale by overflow. If all gradients are finite, reports a step
        that the framework aborted because of a number that is not finite (e.g. in torch's binary
        cross-entropy), an epoch without skipped steps whose loss is not finite, or a gradient
        norm that overflows float32 although its elements are finite (a warning).
    Why it is bad: the update makes the weights NaN, and they do not recover. The loss may not show
        it, because relu turns NaN into 0 on some backends.
    What to do: look for NaN in the batch, and for log(0), 0/0 and large exponentials in the loss.
        If the loss rose before, lower the learning rate or clip the gradient.
    When it is wrong: a custom training loop skips such steps itself.
    Source: IEEE 754; there is no threshold.
    """

    code = "nonfinite"

    def check(self, run: RunView) -> Iterator[Finding]:
        events = [event for event in run.events if event.kind != "overflow"]
        if events:
            yield _gradient_finding(run, events)
        elif run.aborted_steps:
            yield _aborted_step_finding(run.aborted_steps[-1])
        elif (logs := _first_nonfinite_epoch(run)) is not None:
            yield _loss_finding(run, logs)
        elif run.events:
            yield _overflow_finding(run)


def _gradient_finding(run: RunView, events: list[NonFinite]) -> Finding:
    first = events[0]
    num_variables = sum(event.step == first.step for event in events)
    num_in_data = _num_nonfinite_in_data(run)
    paths = {event.variable for event in events}
    is_permanent = run.nonfinite_since is not None
    return Finding(
        code="nonfinite",
        title="NaN or Inf in the gradients",
        severity="error",
        layers=run.layer_names([i for i, v in enumerate(run.variables) if v.path in paths]),
        first_step=first.step,
        last_step=run.last_step if is_permanent else events[-1].step,
        evidence={
            "variable": first.variable,
            "num_nan": first.num_nan,
            "num_inf": first.num_inf,
            "num_elements": first.num_elements,
            "variables_at_first_step": num_variables,
            "nonfinite_inputs_and_targets": num_in_data,
        },
        explanation=f"{first}, and in {num_variables - 1} more variables at that step."
        + (" The gradients stay non-finite until the end." if is_permanent else "")
        + (" The training data contains NaN or Inf." if num_in_data else ""),
        advice="Remove NaN and Inf from the training data."
        if num_in_data
        else "Look at the batch of that step, and at logarithms, divisions and exponentials in "
        "the loss. If the loss rose before, lower the learning rate or clip the gradient.",
    )


def _aborted_step_finding(aborted: AbortedStep) -> Finding:
    step = aborted.step + 1
    return Finding(
        code="nonfinite",
        title="A step was aborted because of NaN or Inf",
        severity="error",
        layers=(),
        first_step=step,
        last_step=step,
        evidence={"error": aborted.message},
        explanation=f"In step {step}, the framework raised an error because a number is not "
        f"finite: {aborted.message}. All gradients before that step are finite.",
        advice="Look for NaN in the batch of that step. `FlightRecorder` saves it, and "
        "`keras_l4.replay` names the layer.",
    )


def _first_nonfinite_epoch(run: RunView) -> EpochLogs | None:
    """Returns the first epoch with a loss that is not finite.

    Epochs with skipped steps are ignored: such a step may have made the mean loss NaN, but did
    not change the weights.
    """
    skipped = set(run.record.block.epochs[run.record.block.skipped].tolist())
    for logs in run.epoch_logs:
        if not np.isfinite(logs.logs.get("loss", 0.0)) and logs.epoch not in skipped:
            return logs
    return None


def _loss_finding(run: RunView, logs: EpochLogs) -> Finding:
    block = run.record.block
    is_in_epoch = (block.epochs == logs.epoch) & (block.steps <= logs.step)
    finite = block.steps[is_in_epoch & np.isfinite(block.loss)]
    first_step = int(finite[-1]) + 1 if len(finite) else int(block.steps[is_in_epoch][0])
    loss = logs.logs["loss"]
    return Finding(
        code="nonfinite",
        title="The loss is NaN or Inf, but every gradient is finite",
        severity="error",
        layers=(),
        first_step=first_step,
        last_step=logs.step,
        evidence={"epoch": logs.epoch, "loss": str(loss)},
        explanation=f"The mean loss of epoch {logs.epoch} is {loss}, from step {first_step} on. "
        "The non-finite terms have no gradient, so the model is trained on the other terms.",
        advice="Look at logarithms, divisions and roots in the loss, and at the targets. Callbacks "
        "that monitor the loss, such as `EarlyStopping`, do not work from then on.",
    )


def _overflow_finding(run: RunView) -> Finding:
    first = run.events[0]
    return Finding(
        code="nonfinite",
        title="A gradient norm overflows float32",
        severity="warning",
        layers=(first.variable.rpartition("/")[0],),
        first_step=first.step,
        last_step=run.events[-1].step,
        evidence={"variable": first.variable, "num_elements": first.num_elements},
        explanation=f"{first}. The gradients of the next step may be Inf.",
        advice="Lower the learning rate, or clip the gradient by norm.",
    )


def _num_nonfinite_in_data(run: RunView) -> int:
    if run.metadata is None:
        return 0
    parts = (run.metadata.inputs, run.metadata.targets)
    return sum(part.num_nonfinite for part in parts if part is not None)
