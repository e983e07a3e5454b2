"""Synthetic records: a healthy run, with arguments for deviations from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from keras_l4.records.annotations import ActivationStats, Annotation, EpochLogs, ProbeResult
from keras_l4.records.block import StepBlock, Variable
from keras_l4.records.history import Record, build_record
from keras_l4.records.metadata import (
    InputMetadata,
    LayerMetadata,
    ModelMetadata,
    TargetMetadata,
    VariableMetadata,
)
from keras_l4.rules import Finding, RuleEngine

NAN = float("nan")
NUM_STEPS = 200
WIDTH = 8
POOLS = {
    **dict.fromkeys(("gradient_norm", "weight_norm", "update_norm"), "norm"),
    **dict.fromkeys(("nan_count", "inf_count"), "count"),
    "update_ratio": "update_ratio",
}


def layer_names(depth: int) -> list[str]:
    return [f"dense_{i}" for i in range(depth)]


def variables(depth: int) -> tuple[Variable, ...]:
    """Returns a kernel and a bias per layer."""
    made = []
    for name in layer_names(depth):
        made.append(Variable(f"{name}/kernel", name, (WIDTH, WIDTH), "float32"))
        made.append(Variable(f"{name}/bias", name, (WIDTH,), "float32"))
    return tuple(made)


def columns(per_layer: Any, depth: int, num_rows: int) -> np.ndarray:
    """Broadcasts a scalar, `[layers]` or `[rows, layers]` to `[rows, variables]`."""
    values = np.broadcast_to(np.asarray(per_layer, np.float64), (num_rows, depth))
    return np.repeat(values, 2, axis=1)


def block(
    depth: int = 3,
    num_steps: int = NUM_STEPS,
    gradient: Any = 0.1,
    weight: Any = 1.0,
    ratio: Any = 0.01,
    loss: Any = None,
    **values: Any,
) -> StepBlock:
    """Returns a block of sampled steps, with 10 steps per epoch. `loss` is per batch."""
    steps = np.arange(1, num_steps + 1)
    losses = np.geomspace(1.0, 0.1, num_steps) if loss is None else np.asarray(loss, np.float64)
    batches = (steps - 1) % 10
    gradients = columns(gradient, depth, num_steps)
    bad = ~np.isfinite(gradients)
    extra = {name: columns(value, depth, num_steps) for name, value in values.items()}
    return StepBlock(
        optimizer="sgd",
        variables=variables(depth),
        steps=steps,
        iterations=steps - 1,
        epochs=(steps - 1) // 10,
        batches=batches,
        learning_rate=np.full(num_steps, 0.1),
        loss_scale=np.ones(num_steps),
        skipped=np.zeros(num_steps, bool),
        skipped_by_guard=np.zeros(num_steps, bool),
        loss=running_mean(losses, batches),
        sampled=np.ones(num_steps, bool),
        values={
            "gradient_norm": gradients,
            "weight_norm": columns(weight, depth, num_steps),
            "update_ratio": columns(ratio, depth, num_steps),
            "update_norm": columns(ratio, depth, num_steps),
            "nan_count": np.where(np.isnan(gradients), WIDTH, 0),
            "inf_count": np.where(bad & ~np.isnan(gradients), WIDTH, 0),
        }
        | extra,
        pools=POOLS | dict.fromkeys(values, "mean_by_size"),
    )


def running_mean(losses: np.ndarray, batches: np.ndarray) -> np.ndarray:
    """Returns the running mean over the epoch, as Keras reports the loss."""
    total, out = 0.0, []
    for loss, batch in zip(losses, batches, strict=True):
        total = loss if batch == 0 else total + loss
        out.append(total / (batch + 1))
    return np.array(out)


def model_metadata(
    depth: int = 3,
    activation: str = "relu",
    output: str = "softmax",
    loss: str = "categorical_crossentropy",
    **changes: Any,
) -> ModelMetadata:
    activations = [activation] * (depth - 1) + [output]
    layers = zip(layer_names(depth), activations, strict=True)
    return ModelMetadata(
        **{
            "step": 1,
            "iterations": 0,
            "optimizer": "SGD",
            "hyperparameters": {"learning_rate": 0.1},
            "loss": loss,
            "from_logits": False,
            "steps_per_epoch": 10,
            "batch_size": 32,
            "layers": tuple(LayerMetadata(n, "Dense", a, "float32") for n, a in layers),
            "output_width": 3,
            "variables": tuple(variable_metadata(v) for v in variables(depth)),
            "inputs": inputs(),
            "targets": targets(),
        }
        | changes
    )


def variable_metadata(variable: Variable, std: float = 0.5, **changes: Any) -> VariableMetadata:
    fan = WIDTH if len(variable.shape) > 1 else 0
    metadata = VariableMetadata(
        variable.path, variable.layer, variable.shape, True, fan, fan, 0.0, std, False
    )
    return replace(metadata, **changes)


def inputs(**changes: Any) -> InputMetadata:
    return replace(InputMetadata((8,), 320, -2.0, 2.0, 0.0, 1.0, 1.0, 1.5, 0, False), **changes)


def targets(**changes: Any) -> TargetMetadata:
    metadata = TargetMetadata("one-hot", 3, 0.0, 1.0, 1 / 3, 0.47, 3, 1 / 3, float(np.log(3)), 0)
    return replace(metadata, **changes)


def activation_stats(name: str, **changes: Any) -> ActivationStats:
    return replace(ActivationStats(name, WIDTH, 0.5, 0.7, 0.4, 0.0, NAN, NAN, 1.0, 0), **changes)


def probe_result(
    step: int,
    accuracy: float,
    depth: int = 3,
    layers: Sequence[ActivationStats] = (),
    **changes: Any,
) -> ProbeResult:
    metadata = ProbeResult(
        step=step,
        epoch=step // 10,
        layers=tuple(layers) or tuple(activation_stats(name) for name in layer_names(depth)),
        accuracy=accuracy,
        majority_fraction=1 / 3,
        crossentropy=float(np.log(3)) * 1.5 * (1 - accuracy),
        baseline_crossentropy=float(np.log(3)),
        explained_variance=NAN,
        num_answers=3,
        output_minimum=0.0,
        output_maximum=1.0,
        output_variation=0.5,
    )
    return replace(metadata, **changes)


def epochs(accuracies: Sequence[float], losses: Sequence[float] = ()) -> list[EpochLogs]:
    annotations = losses if len(losses) else np.geomspace(1.0, 0.1, len(accuracies))
    pairs = zip(accuracies, annotations, strict=True)
    return [
        EpochLogs(10 * (i + 1), i, {"accuracy": float(a), "loss": float(x)})
        for i, (a, x) in enumerate(pairs)
    ]


def record(
    steps: StepBlock | None = None,
    metadata: ModelMetadata | None = None,
    accuracy: float = 0.9,
    probes: Sequence[ProbeResult] | None = None,
    annotations: Sequence[Annotation] = (),
) -> Record:
    """Returns a run that ends with this accuracy; 1/3 is that of a constant prediction."""
    steps = block() if steps is None else steps
    depth = len(steps.layers)
    last = int(steps.steps[-1])
    if probes is None:
        probes = [probe_result(0, 1 / 3, depth), probe_result(last, accuracy, depth)]
    return build_record(
        [model_metadata(depth) if metadata is None else metadata, *probes, steps, *annotations]
    )


CONSTANT_ACCURACY = 1 / 3


def found(run: Record, code: str) -> list[Finding]:
    """Returns the findings of one rule."""

    def fail(name: str, error: Exception) -> None:
        raise AssertionError(name) from error

    return [f for f in RuleEngine([code]).findings(run, fail) if f.code == code]


def severities(run: Record, code: str) -> list[str]:
    return [finding.severity for finding in found(run, code)]
