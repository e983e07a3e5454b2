"""nonfinite: NaN or Inf in the gradients."""

from __future__ import annotations

from collections.abc import Iterator

from keras_l4.recorder.nonfinite import NonFinite
from keras_l4.rules._base import Rule
from keras_l4.rules._evidence import Evidence
from keras_l4.rules._finding import Finding


class NonFiniteGradients(Rule):
    """NaN or Inf in the gradients.

    What it does: names the first step and variable whose gradient holds NaN or Inf, and how far
        it spread at that step. Steps that loss scaling skipped are left out: overflow is how it
        finds its scale. A norm that float32 cannot hold, of finite elements, is told apart.
    Why it is bad: the update makes the weights NaN, and nothing that is computed from them
        recovers. Where relu turns NaN into 0, the loss does not even show it.
    What to do: look at the batch for NaN; log(0), 0/0 and large exponentials in the loss; lower
        the learning rate, or clip, if the loss rose before.
    When it is wrong: a custom training loop that skips such steps itself.
    Source: IEEE 754; no threshold.
    """

    code = "nonfinite"

    def check(self, run: Evidence) -> Iterator[Finding]:
        events = [event for event in run.events if event.kind != "overflow"]
        if events:
            yield _finding(run, events)
        elif run.events:
            yield _overflow(run)


def _finding(run: Evidence, events: list[NonFinite]) -> Finding:
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


def _overflow(run: Evidence) -> Finding:
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


def _nonfinite_data(run: Evidence) -> int:
    if run.facts is None:
        return 0
    parts = (run.facts.inputs, run.facts.targets)
    return sum(part.num_nonfinite for part in parts if part is not None)
