"""Notes: what is known of a run beside its steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from keras_l4.recorder.facts import ModelFacts


@dataclass(frozen=True)
class LayerResponse:
    """What a layer made of the fixed batch.

    Attributes:
        name: As in `LayerFacts.name`.
        width: Units: size of the last axis.
        mean_abs: Mean magnitude of an element.
        max_abs: Largest magnitude.
        std: Standard deviation over all elements.
        zero_fraction: Share of exact zeros.
        dead_units: Share of units that are exactly zero on every example.
        local_gradient: Mean derivative of a sigmoid-like activation, relative to its largest;
            NaN for other activations.
        saturated_fraction: Share of elements where it is below a tenth; NaN likewise.
        variation: Largest spread (standard deviation over examples) of a unit, relative to the
            magnitude of the layer: 0 where the layer answers all examples alike.
        num_nonfinite: NaN and Inf.
    """

    name: str
    width: int
    mean_abs: float
    max_abs: float
    std: float
    zero_fraction: float
    dead_units: float
    local_gradient: float
    saturated_fraction: float
    variation: float
    num_nonfinite: int


@dataclass(frozen=True)
class Response:
    """How the model answered the fixed batch at one moment.

    Attributes:
        step: Last step before it.
        epoch: Epochs done by then.
        layers: In the order in which they were called.
        accuracy: Share of right answers, where the targets are classes; else NaN.
        majority: Share of the most frequent class in the batch; else NaN.
        crossentropy: Mean −log probability of the right answer, where the output is
            probabilities (or logits, if the loss says so) of classes; else NaN.
        entropy: That of the best constant prediction for the batch; else NaN.
        explained: 1 − residual by variance of the targets, for real targets; else NaN.
        num_answers: Number of different predicted classes; 0 for real targets.
        output_minimum, output_maximum: Of the model's output.
        output_variation: Largest spread of an output over the examples, relative to its magnitude.
    """

    step: int
    epoch: int
    layers: tuple[LayerResponse, ...]
    accuracy: float
    majority: float
    crossentropy: float
    entropy: float
    explained: float
    num_answers: int
    output_minimum: float
    output_maximum: float
    output_variation: float


@dataclass(frozen=True)
class EpochLogs:
    """What Keras showed at the end of an epoch.

    Attributes:
        step: Last step of the epoch.
        epoch: Its number, from 0.
        logs: Name to value, e.g. `"loss"`, `"accuracy"`, `"val_loss"`.
    """

    step: int
    epoch: int
    logs: Mapping[str, float] = field(default_factory=dict)


Note = ModelFacts | Response | EpochLogs
