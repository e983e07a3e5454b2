"""dead-layer: units, or a whole layer, whose output is 0 for every example."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_l4.records.annotations import ActivationStats
from keras_l4.rules._base import Rule
from keras_l4.rules._finding import Finding
from keras_l4.rules._run_view import RunView
from keras_l4.rules._skill import final_skill, is_no_better_than_constant, underfits
from keras_l4.rules._statistics import last_quarter

_MAX_DEAD_FRACTION = 0.7
_MIN_SAMPLES = 5
# Activations that can be 0 for all inputs, and have no gradient there.
_RECTIFIERS = {"relu", "relu6", "hard_tanh", "threshold", "squareplus", "sparse_plus"}


class DeadLayer(Rule):
    """Units, or a whole layer, output 0 for every example.

    What it does: counts the units of layers with a relu-like activation that are exactly 0 for
        every example of the probe batch. A layer with at least 70 % dead units is a warning if the
        model underfits (skill below 0.5), otherwise info. Without a probe batch, reports layers
        whose gradient is exactly 0 in the last quarter of the run while other layers have a
        gradient. Frozen layers are not recorded, and therefore never reported.
    Why it is bad: a dead unit has no gradient, so it cannot recover.
    What to do: lower the learning rate, use He initialization and biases that are not negative,
        scale the inputs, or use leaky relu.
    When it is wrong: a probe batch of 128 examples may lack an input that activates the unit. Wide
        layers often have dead units and learn nevertheless, so the fraction alone is no warning.
    Source: Lu et al. 2019 (dying ReLU). AutoTrainer and DeepDiagnosis use the same threshold of
        70 %; this rule also requires that the model underfits.
    """

    code = "dead-layer"

    def check(self, run: RunView) -> Iterator[Finding]:
        stats = _rectifier_stats(run)
        dead = [layer for layer in stats if layer.dead_unit_fraction >= _MAX_DEAD_FRACTION]
        if dead:
            names = tuple(layer.name for layer in dead)
            yield _finding(run, names, max(layer.dead_unit_fraction for layer in dead))
        elif not stats and (names := _layers_without_gradient(run)):
            yield _finding(run, names, 1.0)


def _rectifier_stats(run: RunView) -> list[ActivationStats]:
    """Returns the last statistics of the layers whose units can die."""
    probes = run.probes_before_nonfinite
    if not probes:
        return []
    return [
        layer
        for layer in probes[-1].layers
        if run.activations.get(layer.name) in _RECTIFIERS and layer.width
    ]


def _layers_without_gradient(run: RunView) -> tuple[str, ...]:
    norms = last_quarter(run.values("gradient_norm"))[:, run.kernels]
    if len(norms) < _MIN_SAMPLES:
        return ()
    is_zero = (norms == 0).all(axis=0)
    return () if is_zero.all() else run.layer_names(run.kernels[is_zero])


def _finding(run: RunView, layers: tuple[str, ...], fraction: float) -> Finding:
    is_whole_layer, is_lost = fraction == 1.0, is_no_better_than_constant(run)
    first_step = next(
        (p.step for p in run.probes if any(_is_dead(layer, layers) for layer in p.layers)),
        run.first_step,
    )
    return Finding(
        code="dead-layer",
        title="A layer is dead" if is_whole_layer else "Most units of a layer are dead",
        severity="error" if is_whole_layer and is_lost else "warning" if underfits(run) else "info",
        layers=layers,
        first_step=max(first_step, run.first_step),
        last_step=run.last_step,
        evidence={
            "dead_unit_fraction": float(fraction),
            "expected_below": _MAX_DEAD_FRACTION,
            "num_layers": len(layers),
            "skill": float(np.round(final_skill(run), 4)),
        },
        explanation=f"{fraction:.0%} of the units of {layers[0]} are 0 for every example and get "
        "no gradient"
        + ("; no signal passes the layer." if is_whole_layer else ".")
        + (" The model is no better than a constant prediction." if is_lost else ""),
        advice="Lower the learning rate, use He initialization and scaled inputs, or use leaky "
        "relu.",
    )


def _is_dead(stats: ActivationStats, layers: tuple[str, ...]) -> bool:
    return stats.name in layers and stats.dead_unit_fraction >= _MAX_DEAD_FRACTION
