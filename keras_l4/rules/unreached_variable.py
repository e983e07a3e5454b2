"""unreached-variable: trainable variables that training does not reach."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_l4.rules._base import Rule
from keras_l4.rules._evidence import RunView
from keras_l4.rules._finding import Finding


class UnreachedVariable(Rule):
    """Trainable variables that training does not reach.

    What it does: names the trainable variables that the optimizer was not built with, and layers
        all of whose variables have a gradient of exactly 0 at every step while their outputs, on
        the fixed batch, are not 0 (or they were never called) and other layers have a gradient.
    Why it is bad: they look trained and are not.
    What to do: connect the layer to the loss; `compile` after `trainable` was changed.
    When it is wrong: variables that another optimizer trains, as in adversarial training; rows
        of an embedding that no example uses make no whole variable.
    Source: none; exact zeros over a whole run.
    """

    code = "unreached-variable"
    is_root = True

    def check(self, run: RunView) -> Iterator[Finding]:
        facts = run.facts
        missing = [v.path for v in facts.variables if not v.in_optimizer] if facts else []
        if missing:
            what = "The optimizer that is recorded was not built with them."
            yield _finding(run, missing, what, "info")
        unreached = _without_gradient(run)
        if unreached:
            what = "Their gradient is exactly 0 at every step: the loss does not depend on them."
            yield _finding(run, unreached, what, "warning")


def _without_gradient(run: RunView) -> list[str]:
    norms = run.values("gradient_norm")
    silent = (norms == 0).all(axis=0)
    if len(norms) < 10 or silent.all():
        return []
    answers = [a for r in run.responses for a in r.layers]
    if any(a.dead_units == 1 for a in answers):
        # A dead layer cuts off all that stands before it.
        return []
    alive = {a.name for a in answers if a.zero_fraction < 1}
    called = {a.name for a in answers}
    by_layer: dict[str, list[int]] = {}
    for i, variable in enumerate(run.variables):
        by_layer.setdefault(variable.layer, []).append(i)
    return [
        run.variables[i].path
        for layer, positions in by_layer.items()
        if called and silent[positions].all() and (layer in alive or layer not in called)
        for i in positions
        if _last_reached(run, silent) > i or layer not in called
    ]


def _last_reached(run: RunView, silent: np.ndarray) -> int:
    """A layer behind all that has a gradient is cut off by its output, not unreached."""
    return int(np.flatnonzero(~silent).max())


def _finding(run: RunView, paths: list[str], what: str, severity: str) -> Finding:
    names = set(paths)
    return Finding(
        code="unreached-variable",
        title="Trainable variables are not trained",
        severity="warning" if severity == "warning" else "info",
        layers=tuple(dict.fromkeys(path.rpartition("/")[0] for path in paths)),
        first_step=run.first_step,
        last_step=run.last_step,
        evidence={"num_variables": len(names), "first_variable": paths[0]},
        explanation=f"{', '.join(paths[:3])}{', …' if len(paths) > 3 else ''}: {what}",
        advice="Connect the layer to the loss, set `trainable = False`, or compile again.",
    )
