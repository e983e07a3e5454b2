"""unreached-variable: trainable variables that training does not change."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_l4.rules._base import Rule
from keras_l4.rules._finding import Finding, Severity
from keras_l4.rules._run_view import RunView

_MIN_SAMPLES = 10


class UnreachedVariable(Rule):
    """Trainable variables that training does not change.

    What it does: names the trainable variables that the optimizer was not built with (info), and
        the layers whose variables all have a gradient of exactly 0 at every step, although their
        outputs on the probe batch are not 0, or although they were never called, while other
        layers have a gradient (warning).
    Why it is bad: they look trained but are not.
    What to do: connect the layer to the loss; call `compile` again after changing `trainable`.
    When it is wrong: another optimizer trains these variables, as in adversarial training.
        Unused rows of an embedding are not reported, because other rows have a gradient.
    Source: there is no threshold; the gradients are exactly 0 over the whole run.
    """

    code = "unreached-variable"
    is_root = True

    def check(self, run: RunView) -> Iterator[Finding]:
        variables = run.metadata.variables if run.metadata else ()
        missing = [v.path for v in variables if not v.is_in_optimizer]
        if missing:
            reason = "the recorded optimizer was not built with these variables."
            yield _finding(run, missing, reason, "info")
        unreached = _paths_without_gradient(run)
        if unreached:
            reason = "the gradient is exactly 0 at every step, so the loss does not depend on them."
            yield _finding(run, unreached, reason, "warning")


def _paths_without_gradient(run: RunView) -> list[str]:
    norms = run.values("gradient_norm")
    is_zero = (norms == 0).all(axis=0)
    if len(norms) < _MIN_SAMPLES or is_zero.all():
        return []
    stats = [layer for probe in run.probes for layer in probe.layers]
    if any(layer.dead_unit_fraction == 1 for layer in stats):
        # A dead layer blocks the gradient of all layers before it.
        return []
    called = {layer.name for layer in stats}
    active = {layer.name for layer in stats if layer.zero_fraction < 1}
    # The layers after the last one with a gradient are blocked by the output, not unreached.
    last_with_gradient = int(np.flatnonzero(~is_zero).max())
    indices_by_layer: dict[str, list[int]] = {}
    for i, variable in enumerate(run.variables):
        indices_by_layer.setdefault(variable.layer, []).append(i)
    return [
        run.variables[i].path
        for layer, indices in indices_by_layer.items()
        if called and is_zero[indices].all() and (layer in active or layer not in called)
        for i in indices
        if i < last_with_gradient or layer not in called
    ]


def _finding(run: RunView, paths: list[str], reason: str, severity: Severity) -> Finding:
    return Finding(
        code="unreached-variable",
        title="Trainable variables are not trained",
        severity=severity,
        layers=tuple(dict.fromkeys(path.rpartition("/")[0] for path in paths)),
        first_step=run.first_step,
        last_step=run.last_step,
        evidence={"num_variables": len(set(paths)), "first_variable": paths[0]},
        explanation=f"{', '.join(paths[:3])}{', …' if len(paths) > 3 else ''}: {reason}",
        advice="Connect the layer to the loss, set `trainable = False`, or call `compile` again.",
    )
