"""exploding-gradient: the gradient, or the activations, grow without bound."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_l4.rules._base import Rule
from keras_l4.rules._finding import Finding
from keras_l4.rules._run_view import RunView
from keras_l4.rules._skill import is_no_better_than_constant, underfits
from keras_l4.rules._statistics import finite_median, last_quarter, log_slope

_MAX_GROWTH = 100.0
_MAX_LOSS_RISE = 10.0
_MAX_GROWTH_OVER_DEPTH = 1000.0
_MIN_KERNELS = 4
_ADVICE = (
    "Lower the learning rate, clip by norm (`global_clipnorm=1.0`), scale inputs and targets to "
    "about 1, and use He or Glorot initialization."
)


class ExplodingGradient(Rule):
    """The gradient, or the activations, grow without bound.

    What it does: reports (1) a gradient norm that grows to 100 times its first value while the
        loss rises to 10 times its first value or becomes NaN; (2) NaN or Inf in the outputs of
        the untrained model's layers; (3) a gradient that grows by more than 1000 from the last
        layer to the first, with a confidence interval that excludes a constant gradient, in a
        model that is no better than a constant prediction; (4) outputs of the untrained model's
        hidden layers that exceed 100 times the larger of 1 and the scale of the inputs, in a
        model that underfits (skill below 0.5).
    Why it is bad: each step moves the weights farther away, until the loss is NaN.
    What to do: clip by norm, lower the learning rate, scale inputs and targets, use bounded or
        relu-like activations and He or Glorot initialization.
    When it is wrong: the loss rises by design, such as in adversarial training.
    Source: Pascanu, Mikolov, Bengio 2013. Growth is relative to the start of the same run. Batch
        noise changes a loss by a factor of a few, and learning decreases it.
    """

    code = "exploding-gradient"

    def check(self, run: RunView) -> Iterator[Finding]:
        checks = (_check_initial_overflow, _check_time, _check_depth, _check_activations)
        finding = next(filter(None, (check(run) for check in checks)), None)
        if finding is not None:
            yield finding


def _check_time(run: RunView) -> Finding | None:
    norms = run.record.block.global_gradient_norm
    finite = norms[np.isfinite(norms) & (norms > 0)]
    growth = norms / (finite[0] if len(finite) else 1.0)
    # Growth ends in Inf. NaN, in contrast, can appear at once for other reasons.
    infinite = [event.step for event in run.events if event.num_inf or event.kind == "overflow"]
    grown = np.flatnonzero((growth >= _MAX_GROWTH) | np.isin(run.steps, infinite))
    if not len(grown) or not _has_loss_risen(run):
        return None
    largest = float(growth[np.isfinite(growth)].max(initial=1.0))
    return _finding(
        run,
        int(run.steps[grown[0]]),
        "Gradients explode",
        {
            "growth": largest,
            "growth_expected_below": _MAX_GROWTH,
            "steps_with_infinite_gradients": len(set(infinite)),
        },
        f"The gradient norm grew to {largest:.2g} times its first value"
        + (" and then to Inf." if infinite else ", and the loss rose."),
    )


def _has_loss_risen(run: RunView) -> bool:
    losses = run.batch_loss
    if run.nonfinite_since is not None:
        return True
    if len(losses) < 2:
        return False
    start, end = float(losses[0]), float(np.median(last_quarter(losses)))
    # A difference instead of a ratio: a loss may be negative, and may decrease far below 0.
    return end - start > (_MAX_LOSS_RISE - 1) * max(abs(start), 1e-12)


def _check_initial_overflow(run: RunView) -> Finding | None:
    probe = run.initial_probe
    names = [layer.name for layer in probe.layers if layer.num_nonfinite] if probe else []
    inputs = None if run.metadata is None else run.metadata.inputs
    if not names or (inputs is not None and inputs.num_nonfinite):
        return None
    return _finding(
        run,
        run.first_step,
        "The activations overflow in the untrained model",
        {"first_layer_with_nonfinite_outputs": names[0], "num_layers": len(names)},
        f"Before training, the outputs of {names[0]} overflow although the inputs are finite.",
    )


def _check_activations(run: RunView) -> Finding | None:
    metadata, probe = run.metadata, run.initial_probe
    if probe is None or metadata is None or not underfits(run):
        return None
    hidden = {layer.name for layer in run.hidden_layers}
    mean_abs = {layer.name: layer.mean_abs for layer in probe.layers if layer.name in hidden}
    inputs = metadata.inputs
    scale = 1.0 if inputs is None or inputs.is_integer else max(1.0, inputs.scale)
    largest = max(mean_abs, key=lambda name: mean_abs[name], default="")
    if not largest or not mean_abs[largest] >= _MAX_GROWTH * scale:
        return None
    return _finding(
        run,
        run.first_step,
        "The activations grow from layer to layer",
        {"mean_abs_output": mean_abs[largest], "mean_abs_expected_below": _MAX_GROWTH * scale},
        f"Before training, the outputs of {largest} have a mean magnitude of "
        f"{mean_abs[largest]:.2g} for inputs of a scale of at most {scale:.2g}.",
        'Use `kernel_initializer="he_normal"` for relu, `"glorot_uniform"` otherwise, '
        '`recurrent_initializer="orthogonal"` with a gain of 1, or normalization layers.',
    )


def _check_depth(run: RunView) -> Finding | None:
    gradients = run.values("gradient_norm")[: 1 + len(run.steps) // 4][:, run.kernels]
    weights = finite_median(run.values("weight_norm"))[run.kernels]
    with np.errstate(divide="ignore", invalid="ignore"):
        profile = np.nan_to_num(finite_median(gradients) / weights, nan=0.0, posinf=0.0)
    has_profile = len(profile) >= _MIN_KERNELS and (profile > 0).all()
    if not has_profile or not is_no_better_than_constant(run):
        return None
    slope, _, high = log_slope(profile)
    total = float(np.exp(-slope * (len(profile) - 1)))
    if high >= 0 or total < _MAX_GROWTH_OVER_DEPTH:
        return None
    return _finding(
        run,
        run.first_step,
        "Gradients grow towards the first layers",
        {"factor_per_layer": float(np.exp(-slope)), "first_to_last_layer": total},
        f"‖g‖/‖w‖ grows by a factor of {np.exp(-slope):.2g} per layer towards the input.",
    )


def _finding(
    run: RunView,
    first_step: int,
    title: str,
    evidence: dict[str, float | int | str],
    explanation: str,
    advice: str = _ADVICE,
) -> Finding:
    return Finding(
        code="exploding-gradient",
        title=title,
        severity="error",
        layers=run.layer_names(run.kernels),
        first_step=first_step,
        last_step=run.last_step,
        evidence=evidence,
        explanation=explanation,
        advice=advice,
    )
