"""Difference: describes where two runs diverge, and how they differ at the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import numpy as np

from keras_l4.events.divergence import SIGNIFICANT_DIFFERENCE, Difference, find_divergence
from keras_l4.formatting import format_steps
from keras_l4.records.metadata import ModelMetadata
from keras_l4.report.evaluated_run import EvaluatedRun

_SETTINGS = ("optimizer", "loss", "from_logits", "batch_size", "steps_per_epoch", "output_width")
_QUANTITY = "gradient_norm"


def describe_difference(a: EvaluatedRun, b: EvaluatedRun) -> str:
    """Returns the output of `python -m keras_l4 diff`: settings, divergence, final values, findings."""
    lines = [f"A  {a}", f"B  {b}", "", *_settings(a, b), *_divergence(a, b), ""]
    return "\n".join([*lines, *_final_values(a, b), *_findings(a, b)])


def _settings(a: EvaluatedRun, b: EvaluatedRun) -> Iterator[str]:
    metadata_a, metadata_b = a.run.record.metadata, b.run.record.metadata
    if metadata_a is None or metadata_b is None:
        return
    settings_a, settings_b = _settings_of(metadata_a), _settings_of(metadata_b)
    for name in dict.fromkeys([*settings_a, *settings_b]):
        if settings_a.get(name) != settings_b.get(name):
            yield f"{name}: {settings_a.get(name)} in A, {settings_b.get(name)} in B"


def _settings_of(metadata: ModelMetadata) -> dict[str, object]:
    fields = asdict(metadata)
    settings = {name: fields[name] for name in _SETTINGS}
    settings |= {f"optimizer.{name}": x for name, x in metadata.hyperparameters.items()}
    return settings | {"number of layers": len(metadata.layers)}


def _divergence(a: EvaluatedRun, b: EvaluatedRun) -> Iterator[str]:
    if not all(_QUANTITY in run.run.quantities for run in (a, b)):
        yield f"{_QUANTITY} was not recorded in both runs: cannot tell where they diverge."
        return
    divergence = find_divergence(a.run, b.run, _QUANTITY)
    if divergence is None:
        yield "The runs have no layer or no step in common."
    elif divergence.first_difference is None:
        yield (
            f"The gradient norms of all {divergence.num_layers} layers are equal at "
            f"{divergence.num_steps} steps."
        )
    else:
        yield from _describe("First difference", divergence.first_difference)
        threshold = f"First difference above {SIGNIFICANT_DIFFERENCE:.0%}"
        yield from _describe(threshold, divergence.first_significant_difference)


def _describe(title: str, difference: Difference | None) -> Iterator[str]:
    if difference is not None:
        yield (
            f"{title}: {difference.layer} at step {difference.step}, gradient norm "
            f"{difference.one:.6g} in A and {difference.other:.6g} in B"
        )


def _final_values(a: EvaluatedRun, b: EvaluatedRun) -> Iterator[str]:
    yield f"{'at the end':<24}{'A':>14}{'B':>14}"
    values_a, values_b = _last_values(a), _last_values(b)
    for name in dict.fromkeys([*values_a, *values_b]):
        yield f"{name:<24}{_number(values_a.get(name)):>14}{_number(values_b.get(name)):>14}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.5g}"


def _last_values(evaluated: EvaluatedRun) -> dict[str, float]:
    run = evaluated.run
    losses = run.loss[~np.isnan(run.loss)]
    values = {
        "step": float(run.steps[-1]),
        "loss": float(losses[-1]) if len(losses) else np.nan,
        "learning rate": float(run.learning_rate[-1]),
    }
    if _QUANTITY in run.quantities:
        values["gradient norm"] = float(run.blocks[-1].global_gradient_norm[-1])
    epochs = run.record.epoch_logs
    if epochs:
        values |= {k: v for k, v in epochs[-1].logs.items() if k not in ("loss", _QUANTITY)}
    return values


def _findings(a: EvaluatedRun, b: EvaluatedRun) -> Iterator[str]:
    yield from _findings_without(b, "A", a)
    yield from _findings_without(a, "B", b)


def _findings_without(excluded: EvaluatedRun, name: str, run: EvaluatedRun) -> Iterator[str]:
    """Describes the findings about `run` whose rules found nothing in `excluded`."""
    excluded_codes = {finding.code for finding in excluded.findings}
    by_code = {finding.code: finding for finding in run.findings}
    for code, finding in by_code.items():
        if code not in excluded_codes:
            yield f"only in {name}: {finding.severity} {code} ({format_steps(finding)})"
