"""What the published presets share: their findings, and the numbers they look at."""

from __future__ import annotations

import numpy as np

from keras_l4.records.annotations import ActivationStats
from keras_l4.rules._evidence import RunView
from keras_l4.rules._finding import Finding
from keras_l4.rules._statistics import late, median

# mean |x| by root mean square, of a normal distribution: norms are recorded, means are not.
_MEAN_ABS = float(np.sqrt(2 / np.pi))


def published(run: RunView, code: str, tool: str, measured: float, limit: float) -> Finding:
    """A finding under the code that our own rule of that kind has."""
    return Finding(
        code=code,
        title=f"{tool}: {code}",
        severity="warning",
        layers=(),
        first_step=run.first_step,
        last_step=run.last_step,
        evidence={"measured": measured, "limit": limit},
        explanation=f"{measured:.3g} is beyond the cut-off {limit:g} of {tool}.",
        advice="This is a published cut-off, to compare with; see the findings of the default.",
    )


def late_norms(run: RunView) -> np.ndarray:
    """Late median of the gradient norm of each kernel, in forward order."""
    return median(late(run.values("gradient_norm")))[run.kernels]


def mean_abs_gradients(run: RunView) -> np.ndarray:
    """Late mean |g| of each kernel, as of a normal distribution with the norm recorded."""
    return _MEAN_ABS * late_norms(run) / np.sqrt(run.sizes[run.kernels])


def is_nonfinite(run: RunView) -> bool:
    """Whether there was NaN or Inf."""
    return any(event.kind != "overflow" for event in run.events)


def last_answers(run: RunView, activations: set[str]) -> list[ActivationStats]:
    """The last answers of the layers with these activations."""
    kinds = {layer.name: layer.activation for layer in (run.facts.layers if run.facts else ())}
    layers = run.responses[-1].layers if run.responses else ()
    return [answer for answer in layers if kinds.get(answer.name) in activations]


def epoch_values(run: RunView, name: str) -> np.ndarray:
    """What Keras showed under a name at the end of epochs."""
    return np.array([logs.logs[name] for logs in run.epochs if name in logs.logs])
