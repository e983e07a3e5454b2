"""Difference: where two runs part, and how they differ at the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import numpy as np

from keras_l4.events.parting import CLEARLY, Place, parting
from keras_l4.records.metadata import ModelMetadata
from keras_l4.report.judged import EvaluatedRun
from keras_l4.wording import steps_of

_NAMED = ("optimizer", "loss", "from_logits", "batch_size", "steps_per_epoch", "output_width")


def difference(a: EvaluatedRun, b: EvaluatedRun) -> str:
    """The report of `python -m keras_l4 diff`, a few lines of text."""
    lines = [f"A  {a}", f"B  {b}", "", *_settings(a, b), *_parting(a, b), "", *_end(a, b)]
    return "\n".join([*lines, *_findings(a, b)])


def _settings(a: EvaluatedRun, b: EvaluatedRun) -> Iterator[str]:
    one, other = a.run.record.facts, b.run.record.facts
    if one is None or other is None:
        return
    for name, (left, right) in _differing(one, other).items():
        yield f"{name}: {left} in A, {right} in B"


def _differing(one: ModelMetadata, other: ModelMetadata) -> dict[str, tuple[object, object]]:
    left, right = ({n: asdict(facts)[n] for n in _NAMED} for facts in (one, other))
    left |= {f"optimizer.{name}": value for name, value in one.hyperparameters.items()}
    right |= {f"optimizer.{name}": value for name, value in other.hyperparameters.items()}
    left["number of layers"], right["number of layers"] = len(one.layers), len(other.layers)
    names = [*left, *(name for name in right if name not in left)]
    pairs = {name: (left.get(name), right.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _parting(a: EvaluatedRun, b: EvaluatedRun) -> Iterator[str]:
    quantity = "gradient_norm"
    if not all(quantity in judged.run.quantities for judged in (a, b)):
        yield f"{quantity} was not recorded in both runs: where they part is not known."
        return
    found = parting(a.run, b.run, quantity)
    if found is None:
        yield "The runs have no layer, or no step, in common."
    elif found.at_all is None:
        yield (
            f"The gradient norms of all {found.num_layers} layers are equal at "
            f"{found.num_steps} steps."
        )
    else:
        yield from _first("differ at all", found.at_all)
        yield from _first(f"differ by {CLEARLY:.0%}", found.clearly)


def _first(what: str, place: Place | None) -> Iterator[str]:
    if place is not None:
        yield (
            f"The first to {what}: {place.layer} at step {place.step}, gradient norm "
            f"{place.one:.6g} in A and {place.other:.6g} in B"
        )


def _end(a: EvaluatedRun, b: EvaluatedRun) -> Iterator[str]:
    yield f"{'at the end':<24}{'A':>14}{'B':>14}"
    left, right = _last_values(a), _last_values(b)
    for name in [*left, *(name for name in right if name not in left)]:
        yield f"{name:<24}{_number(left.get(name)):>14}{_number(right.get(name)):>14}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.5g}"


def _last_values(judged: EvaluatedRun) -> dict[str, float]:
    run = judged.run
    losses = run.loss[~np.isnan(run.loss)]
    values = {
        "step": float(run.steps[-1]),
        "loss": float(losses[-1]) if len(losses) else np.nan,
        "learning rate": float(run.learning_rate[-1]),
    }
    if "gradient_norm" in run.quantities:
        values["gradient norm"] = float(run.blocks[-1].global_gradient_norm[-1])
    epochs = run.record.epochs
    if epochs:
        values |= {k: v for k, v in epochs[-1].logs.items() if k not in ("loss", "gradient_norm")}
    return values


def _findings(a: EvaluatedRun, b: EvaluatedRun) -> Iterator[str]:
    left, right = ({finding.code: finding for finding in j.findings} for j in (a, b))
    for name, mine, others in (("A", left, right), ("B", right, left)):
        for code, finding in mine.items():
            if code not in others:
                yield f"only in {name}: {finding.severity} {code} ({steps_of(finding)})"
