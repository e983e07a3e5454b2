"""Interleaved timing: in each round every variant trains once, in random order."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import keras
from budgets import BASELINE
from models import Workload
from timed_variants import TimedVariant, create
from variants import Variant

# Limits the memory of the synthetic data; about one epoch of Fashion-MNIST with batches of 32.
MAX_STEPS = 2000


@dataclass(frozen=True)
class Effort:
    """How long to measure: number of rounds, minimum seconds and minimum steps of a timed fit."""

    pairs: int
    seconds: float
    min_steps: int


@dataclass
class Series:
    """Per round: seconds of a fit of one step, seconds of a full fit, and bytes of its record."""

    start_seconds: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    record_bytes: list[int] = field(default_factory=list)


@dataclass
class Result:
    """The timings of one workload on one backend; `failures` maps variants to error messages."""

    backend: str
    device: str
    model: str
    batch_size: int
    variables: int
    parameters: int
    steps: int
    series: dict[str, Series]
    failures: dict[str, str]


def measure(workload: Workload, variants: list[Variant], effort: Effort, folder: Path) -> Result:
    """Trains a model for each variant. BASELINE must be one of them: it determines the steps."""
    failures: dict[str, str] = {}
    with ExitStack() as stack:
        timed: dict[str, TimedVariant] = {}
        for variant in variants:
            try:
                timed[variant.name] = _create_warm(variant, workload, effort, folder, stack)
            except Exception as error:  # The other variants are measured anyway.
                failures[variant.name] = f"{type(error).__name__}: {error}"
        steps = _choose_steps(timed[BASELINE], effort)
        series = _time_interleaved(timed, steps, effort.pairs)
    return _result(workload, steps, series, failures)


def _create_warm(
    variant: Variant, workload: Workload, effort: Effort, folder: Path, stack: ExitStack
) -> TimedVariant:
    timed_variant = create(variant, workload, folder)
    stack.callback(timed_variant.close)
    # The first fit traces and compiles, the second includes what happens every few steps only.
    timed_variant.fit(1)
    timed_variant.fit(effort.min_steps)
    return timed_variant


def _choose_steps(baseline: TimedVariant, effort: Effort) -> int:
    # The best of three, since a busy moment would make the timed fits too short.
    seconds = min(baseline.fit(effort.min_steps).seconds for _ in range(3))
    step_seconds = seconds / effort.min_steps
    return min(max(round(effort.seconds / step_seconds), effort.min_steps), MAX_STEPS)


def _time_interleaved(timed: dict[str, TimedVariant], steps: int, pairs: int) -> dict[str, Series]:
    series = {name: Series() for name in timed}
    rng = Random(0)
    for _ in range(pairs):
        for name in rng.sample(list(timed), len(timed)):
            # The first fit is not counted: the data and the caches are cold.
            _, start, fit = (timed[name].fit(steps, num_trained) for num_trained in (1, 1, None))
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
    """Returns the name of the device that the active backend uses."""
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
