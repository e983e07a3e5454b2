"""saturated-layer: sigmoid-like activations whose derivative is close to 0."""

from __future__ import annotations

from collections.abc import Iterator

from keras_l4.records.annotations import ActivationStats, ProbeResult
from keras_l4.rules._base import Rule
from keras_l4.rules._finding import Finding
from keras_l4.rules._run_view import RunView
from keras_l4.rules._skill import final_skill, is_no_better_than_constant, underfits

_MAX_SATURATED_FRACTION = 0.5
_NEARLY_ALL = 0.9


class SaturatedLayer(Rule):
    """Sigmoid-like activations whose derivative is close to 0.

    What it does: counts the outputs of sigmoid-like layers whose derivative is below a tenth of
        the largest one, on the probe batch, and reports layers with more than 50 %. It is a
        warning for a hidden layer, and for the output layer above 90 %, if the model is no better
        than a constant prediction; and for a hidden layer above 90 %, now or before training, if
        the model underfits (skill below 0.5).
    Why it is bad: a saturated element passes less than a tenth of the gradient, so it hardly
        changes and hardly recovers.
    What to do: scale the inputs (for the output layer, also the targets); use Glorot
        initialization, a lower learning rate, relu-like hidden layers or normalization.
    When it is wrong: a confident classifier saturates its output layer. Therefore the output
        layer only counts if the model does not learn.
    Source: Glorot & Bengio 2010. A tenth of the largest derivative is |x| > 3.6 for sigmoid and
        |x| > 1.8 for tanh.
    """

    code = "saturated-layer"

    def check(self, run: RunView) -> Iterator[Finding]:
        if not run.probes_before_nonfinite:
            return
        is_lost, is_underfit = is_no_better_than_constant(run), underfits(run)
        stats = _saturated(run.probes_before_nonfinite[-1], _MAX_SATURATED_FRACTION)
        harmful = [layer for layer in stats if _is_harmful(run, layer, is_lost, is_underfit)]
        initial = _initially_saturated(run) if is_underfit and not harmful else []
        if harmful or initial:
            yield _finding(run, harmful or initial, is_harmful=True, is_initial=bool(initial))
        elif any(not _is_output(run, layer) for layer in stats):
            yield _finding(run, stats, is_harmful=False, is_initial=False)


def _saturated(probe: ProbeResult, min_fraction: float) -> list[ActivationStats]:
    return [
        layer
        for layer in probe.layers
        if layer.saturated_fraction >= min_fraction and not layer.num_nonfinite
    ]


def _initially_saturated(run: RunView) -> list[ActivationStats]:
    """Returns the hidden layers that were nearly completely saturated before training."""
    if run.initial_probe is None:
        return []
    hidden = {layer.name for layer in run.hidden_layers}
    return [x for x in _saturated(run.initial_probe, _NEARLY_ALL) if x.name in hidden]


def _is_harmful(run: RunView, layer: ActivationStats, is_lost: bool, is_underfit: bool) -> bool:
    is_nearly_all = layer.saturated_fraction >= _NEARLY_ALL
    if _is_output(run, layer):
        return is_nearly_all and is_lost
    return is_lost or (is_nearly_all and is_underfit)


def _is_output(run: RunView, layer: ActivationStats) -> bool:
    return run.output_layer is not None and layer.name == run.output_layer.name


def _finding(
    run: RunView, layers: list[ActivationStats], is_harmful: bool, is_initial: bool
) -> Finding:
    worst = max(layers, key=lambda layer: layer.saturated_fraction)
    names = {layer.name for layer in layers}
    first_step = next(
        probe.step
        for probe in run.probes
        if any(
            layer.name in names and layer.saturated_fraction >= _MAX_SATURATED_FRACTION
            for layer in probe.layers
        )
    )
    return Finding(
        code="saturated-layer",
        title="Activations are saturated",
        severity="warning" if is_harmful else "info",
        layers=tuple(layer.name for layer in layers),
        first_step=max(first_step, run.first_step),
        last_step=run.last_step,
        evidence={
            "saturated_fraction": worst.saturated_fraction,
            "expected_below": _MAX_SATURATED_FRACTION,
            "mean_relative_derivative": worst.mean_relative_derivative,
            "skill": final_skill(run),
        },
        explanation=("Before training, " if is_initial else "")
        + f"{worst.saturated_fraction:.0%} of the outputs of {worst.name} are saturated: the "
        "activation passes less than a tenth of the gradient there.",
        advice="Scale the inputs, and targets outside of the activation's range; use Glorot "
        "initialization or a relu-like activation; lower the learning rate.",
    )
