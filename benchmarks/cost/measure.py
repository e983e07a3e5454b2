"""Interleaved timing: in each round every contender trains once, in a shuffled order."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import keras
from contenders import Contender
from entrants import Entrant, enter
from models import Workload
from promise import BASELINE

# Bounds the memory of the synthetic data: about an epoch of Fashion-MNIST at batch 32.
MAX_STEPS = 2000


@dataclass(frozen=True)
class Effort:
    """How long to measure: number of rounds, least seconds and least steps of a timed fit."""

    pairs: int
    seconds: float
    min_steps: int


@dataclass
class Series:
    """One value a round: seconds of a fit of one step and of a full fit, bytes recorded by it."""

    start_seconds: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    record_bytes: list[int] = field(default_factory=list)


@dataclass
class Result:
    """One workload on one backend; `failures` maps a contender to its error message."""

    backend: str
    device: str
    model: str
    batch_size: int
    variables: int
    parameters: int
    steps: int
    series: dict[str, Series]
    failures: dict[str, str]


def measure(
    workload: Workload, contenders: list[Contender], effort: Effort, folder: Path
) -> Result:
    """Trains a model for each contender, one of which must be BASELINE: it sets the steps."""
    failures: dict[str, str] = {}
    with ExitStack() as stack:
        entrants = {}
        for contender in contenders:
            try:
                entrants[contender.name] = _warm(contender, workload, effort, folder, stack)
            except Exception as error:  # One that breaks must not cost the others their numbers.
                failures[contender.name] = f"{type(error).__name__}: {error}"
        steps = _steps(entrants[BASELINE], effort)
        series = _interleaved(entrants, steps, effort.pairs)
    return _result(workload, steps, series, failures)


def _warm(
    contender: Contender, workload: Workload, effort: Effort, folder: Path, stack: ExitStack
) -> Entrant:
    entrant = enter(contender, workload, folder)
    stack.callback(entrant.close)
    # The first fit traces and compiles; the second meets what happens only every so many steps.
    entrant.fit(1)
    entrant.fit(effort.min_steps)
    return entrant


def _steps(baseline: Entrant, effort: Effort) -> int:
    # The best of three: a busy moment must not make the fits short.
    seconds = min(baseline.fit(effort.min_steps).seconds for _ in range(3))
    step_seconds = seconds / effort.min_steps
    return min(max(round(effort.seconds / step_seconds), effort.min_steps), MAX_STEPS)


def _interleaved(entrants: dict[str, Entrant], steps: int, pairs: int) -> dict[str, Series]:
    series = {name: Series() for name in entrants}
    shuffle = Random(0)
    for _ in range(pairs):
        for name in shuffle.sample(list(entrants), len(entrants)):
            # On the same data, which is looked at once per fit; the first finds caches cold.
            _, start, fit = (entrants[name].fit(steps, run=run) for run in (1, 1, None))
            series[name].start_seconds.append(start.seconds)
            series[name].seconds.append(fit.seconds)
            series[name].record_bytes.append(fit.record_bytes)
    return series


def _result(
    workload: Workload, steps: int, series: dict[str, Series], failures: dict[str, str]
) -> Result:
    model = workload.compiled(keras.Model)
    return Result(
        backend=keras.backend.backend(),
        device=_device(),
        model=workload.name,
        batch_size=workload.batch_size,
        variables=len(model.trainable_variables),
        parameters=model.count_params(),
        steps=steps,
        series=series,
        failures=failures,
    )


def _device() -> str:
    """What the active Keras backend computes on."""
    match keras.backend.backend():
        case "jax":
            import jax

            return jax.devices()[0].device_kind
        case "torch":
            import torch

            return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    return tf.config.experimental.get_device_details(gpus[0])["device_name"] if gpus else "cpu"
