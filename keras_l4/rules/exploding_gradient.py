"""exploding-gradient: gradients, or the signal itself, grow without bounds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_l4.rules._base import Rule
from keras_l4.rules._evidence import RunView
from keras_l4.rules._finding import Finding
from keras_l4.rules._outcome import falls_short, learned_little
from keras_l4.rules._statistics import late, log_slope, median

_GROWTH = 100.0
_RISE = 10.0
_ADVICE = (
    "Lower the learning rate, clip by norm (`global_clipnorm=1.0`), scale inputs and targets to "
    "about 1, and use He or Glorot initialization."
)


class ExplodingGradient(Rule):
    """Gradients, or the signal itself, grow without bounds.

    What it does: (1) over time: the gradient norm rises by 100 above its own start while the
        loss rises by 10 above its start, or turns NaN. (2) Over depth: the untrained model's
        layers already answer with NaN or Inf, or the gradient grows by more than 1000 towards the
        input, with a confidence interval that says so, in a model that does not learn; or the
        untrained model's hidden layers answer 100 times as large as the inputs, and as 1, in a
        model that falls short of half of what could be learned.
    Why it is bad: each step throws the weights farther away; the end is NaN.
    What to do: clip by norm, lower the learning rate, scale inputs and targets, bounded or
        relu-like activations, He or Glorot initialization.
    When it is wrong: a loss that rises by intention, such as that of an adversary.
    Source: Pascanu, Mikolov, Bengio 2013. Both factors are ratios to the run's own start; noise
        of batches moves a loss by a factor of a few, and learning makes it smaller, not larger.
    """

    code = "exploding-gradient"

    def check(self, run: RunView) -> Iterator[Finding]:
        ways = (_at_once(run), _over_time(run), _over_depth(run), _on_its_way(run))
        found = next(filter(None, ways), None)
        if found is not None:
            yield found


def _over_time(run: RunView) -> Finding | None:
    norms = run.record.block.global_gradient_norm
    finite = norms[np.isfinite(norms) & (norms > 0)]
    growth = norms / (finite[0] if len(finite) else 1.0)
    # NaN may come out of the blue; Inf is what growth comes to.
    infinite = [event.step for event in run.events if event.num_inf or event.kind == "overflow"]
    high = np.flatnonzero((growth >= _GROWTH) | np.isin(run.steps, infinite))
    if not len(high) or not _loss_rose(run):
        return None
    most = float(growth[np.isfinite(growth)].max(initial=1.0))
    return _finding(
        run,
        int(run.steps[high[0]]),
        "Gradients explode",
        {
            "growth": most,
            "growth_expected_below": _GROWTH,
            "steps_with_infinite_gradients": len(set(infinite)),
        },
        f"The gradient norm grew {most:.2g}-fold over its start"
        + (", and to Inf." if infinite else ", and the loss rose."),
    )


def _loss_rose(run: RunView) -> bool:
    losses = run.batch_loss
    if run.spoiled_at is not None:
        return True
    if len(losses) < 2:
        return False
    start, end = float(losses[0]), float(np.median(late(losses)))
    # A loss may be negative: one that falls far below 0 did not rise.
    return end - start > (_RISE - 1) * max(abs(start), 1e-12)


def _at_once(run: RunView) -> Finding | None:
    before = run.untrained
    bad = [layer.name for layer in before.layers if layer.num_nonfinite] if before else []
    if not bad or (run.facts and run.facts.inputs and run.facts.inputs.num_nonfinite):
        return None
    return _finding(
        run,
        run.first_step,
        "The signal explodes on its way through the layers",
        {"first_layer_with_nonfinite_outputs": bad[0], "num_layers": len(bad)},
        f"Before any training the outputs of {bad[0]} overflow, though the inputs are finite.",
    )


def _on_its_way(run: RunView) -> Finding | None:
    facts, before = run.facts, run.untrained
    if before is None or facts is None or not falls_short(run):
        return None
    hidden = {layer.name for layer in run.hidden}
    sizes = {a.name: a.mean_abs for a in before.layers if a.name in hidden}
    start = 1.0 if facts.inputs is None or facts.inputs.integer else max(1.0, facts.inputs.scale)
    largest = max(sizes, key=lambda name: sizes[name], default="")
    if not largest or not sizes[largest] >= _GROWTH * start:
        return None
    return _finding(
        run,
        run.first_step,
        "The signal grows on its way through the layers",
        {"mean_abs_output": sizes[largest], "mean_abs_expected_below": _GROWTH * start},
        f"Before any training the outputs of {largest} are {sizes[largest]:.2g} on the average, "
        f"of inputs of about {start:.2g} at most.",
        'Use `kernel_initializer="he_normal"` before relu, `"glorot_uniform"` otherwise, '
        '`recurrent_initializer="orthogonal"` with a gain of 1, or normalization layers.',
    )


def _over_depth(run: RunView) -> Finding | None:
    values = run.values("gradient_norm")[: 1 + len(run.steps) // 4][:, run.kernels]
    weights = median(run.values("weight_norm"))[run.kernels]
    with np.errstate(divide="ignore", invalid="ignore"):
        profile = np.nan_to_num(median(values) / weights, nan=0.0, posinf=0.0)
    if len(profile) < 4 or not (profile > 0).all() or not learned_little(run):
        return None
    slope, _, high = log_slope(profile)
    total = float(np.exp(-slope * (len(profile) - 1)))
    if high >= 0 or total < _RISE * _GROWTH:
        return None
    return _finding(
        run,
        run.first_step,
        "Gradients grow towards the first layers",
        {"factor_per_layer": float(np.exp(-slope)), "first_to_last_layer": total},
        f"From layer to layer towards the input ‖g‖/‖w‖ grows {np.exp(-slope):.2g}-fold.",
    )


def _finding(
    run: RunView,
    step: int,
    title: str,
    evidence: dict[str, float | int | str],
    what: str,
    advice: str = _ADVICE,
) -> Finding:
    return Finding(
        code="exploding-gradient",
        title=title,
        severity="error",
        layers=run.layers_of(run.kernels),
        first_step=step,
        last_step=run.last_step,
        evidence=evidence,
        explanation=what,
        advice=advice,
    )
