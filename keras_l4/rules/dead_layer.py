"""dead-layer: units, or a whole layer, that answer zero to everything."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_l4.records.annotations import ActivationStats
from keras_l4.rules._base import Rule
from keras_l4.rules._evidence import RunView
from keras_l4.rules._finding import Finding
from keras_l4.rules._outcome import falls_short, learned_little, skill
from keras_l4.rules._statistics import late

_MOST = 0.7
# They can be zero on all inputs, and pass no gradient then.
_RECTIFIERS = {"relu", "relu6", "hard_tanh", "threshold", "squareplus", "sparse_plus"}


class DeadLayer(Rule):
    """Units, or a whole layer, that answer zero to everything.

    What it does: counts the units of rectifying layers that are exactly 0 on every example of
        the fixed batch. It warns of a layer that is mostly dead if the model falls short of half
        of what could be learned; else it is a note, since others learn all the same. Without a
        fixed batch: layers whose gradient is exactly 0 to the end while that of others is not.
        Frozen layers are not recorded, hence never dead.
    Why it is bad: a dead unit gets no gradient, so that it cannot come back.
    What to do: a lower learning rate, He initialization, biases that are not negative, scaled
        inputs, leaky relu.
    When it is wrong: a batch of 128 examples may miss what wakes a unit; wide layers have dead
        units and learn all the same, which is why the share alone is no warning.
    Source: Lu et al. 2019 (dying ReLU). Most is 70 %: AutoTrainer and DeepDiagnosis agree on it;
        here it needs a model that does not learn beside it.
    """

    code = "dead-layer"

    def check(self, run: RunView) -> Iterator[Finding]:
        answers = _rectified(run)
        dead = [layer for layer in answers if layer.dead_units >= _MOST]
        if dead:
            yield _finding(run, [a.name for a in dead], max(a.dead_units for a in dead))
        elif not answers and (names := _without_gradient(run)):
            yield _finding(run, list(names), 1.0)


def _rectified(run: RunView) -> list[ActivationStats]:
    """The last answers of layers that can die."""
    usable = [r for r in run.responses if run.spoiled_at is None or r.step < run.spoiled_at]
    if not usable:
        return []
    kinds = {layer.name: layer.activation for layer in (run.facts.layers if run.facts else ())}
    return [a for a in usable[-1].layers if kinds.get(a.name) in _RECTIFIERS and a.width]


def _without_gradient(run: RunView) -> tuple[str, ...]:
    norms = late(run.values("gradient_norm"))[:, run.kernels]
    if not len(norms) or len(norms) < 5:
        return ()
    zero = (norms == 0).all(axis=0)
    return () if zero.all() else run.layers_of(run.kernels[zero])


def _finding(run: RunView, layers: list[str], share: float) -> Finding:
    whole, lost = share == 1.0, learned_little(run)
    bad = falls_short(run)
    first = next(
        (r.step for r in run.responses if any(_is_dead(a, layers) for a in r.layers)),
        run.first_step,
    )
    return Finding(
        code="dead-layer",
        title="A layer is dead" if whole else "Most units of a layer are dead",
        severity="error" if whole and lost else "warning" if bad else "info",
        layers=tuple(layers),
        first_step=max(first, run.first_step),
        last_step=run.last_step,
        evidence={
            "dead_units": float(share),
            "expected_below": _MOST,
            "num_layers": len(layers),
            "skill": float(np.round(skill(run), 4)),
        },
        explanation=f"{share:.0%} of the units of {layers[0]} are 0 on every example, and get no "
        "gradient"
        + ("; nothing passes it." if whole else ".")
        + (" The model does no better than a constant." if lost else ""),
        advice="Lower the learning rate, use He initialization and scaled inputs, or leaky relu.",
    )


def _is_dead(answer: ActivationStats, layers: list[str]) -> bool:
    return answer.name in layers and answer.dead_units >= _MOST
