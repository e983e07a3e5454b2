"""Facts: what is known of a model and its data as training begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Task = Literal["binary", "one-hot", "labels", "multi-label", "real"]


@dataclass(frozen=True)
class VariableMetadata:
    """One trainable variable as training began.

    Attributes:
        path: As in `Variable.path`.
        layer: As in `Variable.layer`.
        shape: Shape of the tensor.
        in_optimizer: Whether the optimizer that is recorded has it.
        fan_in: Inputs of a unit, as Keras' initializers count them; 0 for a vector.
        fan_out: Outputs of a unit, likewise.
        mean: Mean of its elements (of a sample, if it is large).
        std: Their standard deviation.
        max_abs: The largest magnitude.
        symmetric: Whether all units of it, of which there are several, are equal.
    """

    path: str
    layer: str
    shape: tuple[int, ...]
    in_optimizer: bool
    fan_in: int
    fan_out: int
    mean: float
    std: float
    max_abs: float
    symmetric: bool


@dataclass(frozen=True)
class LayerMetadata:
    """One layer without sublayers.

    Attributes:
        name: As in `Variable.layer`; the layer's own name where it has no variables.
        kind: Name of its class.
        activation: Name of its activation function, empty where it has none.
        compute_dtype: What it computes in.
    """

    name: str
    kind: str
    activation: str
    compute_dtype: str


@dataclass(frozen=True)
class InputMetadata:
    """A sample of the inputs that `fit` was given.

    Attributes:
        shape: Shape of one example.
        num_examples: Number of examples.
        minimum, maximum, mean, std: Over all elements of the sample, NaN and Inf left out.
        scale: Root mean square of the feature (last axis) where it is largest.
        feature_ratio: That by the smallest of a feature that varies.
        num_nonfinite: NaN and Inf in the sample.
        integer: Whether the inputs are integers: tokens or categories.
    """

    shape: tuple[int, ...]
    num_examples: int
    minimum: float
    maximum: float
    mean: float
    std: float
    scale: float
    feature_ratio: float
    num_nonfinite: int
    integer: bool


@dataclass(frozen=True)
class TargetMetadata:
    """A sample of the targets that `fit` was given.

    Attributes:
        task: What they look like.
        width: Numbers per example.
        minimum, maximum, mean, std: Over all elements, NaN and Inf left out.
        num_classes: Number of classes seen; 0 for real numbers.
        majority: Share of the most frequent class; NaN for real numbers.
        trivial_loss: The lowest loss that a constant prediction reaches; NaN where the loss is
            not one whose optimum is known.
        num_nonfinite: NaN and Inf in the sample.
    """

    task: Task
    width: int
    minimum: float
    maximum: float
    mean: float
    std: float
    num_classes: int
    majority: float
    trivial_loss: float
    num_nonfinite: int


@dataclass(frozen=True)
class ModelMetadata:
    """What was known as training began.

    Attributes:
        step: First step that is recorded after it.
        iterations: Keras' `optimizer.iterations` by then: 0 if the weights are initial ones.
        optimizer: Name of the optimizer's class.
        hyperparameters: Its numbers: learning rate, momentum, epsilon, ...
        loss: Name of the loss function, e.g. `"mean_squared_error"`.
        from_logits: Whether the loss wants logits.
        steps_per_epoch: Batches of an epoch; 0 if not known.
        batch_size: Examples of a batch; 0 if not known.
        layers: Layers without sublayers, in forward order.
        output_width: Size of the last axis of the only output; 0 if not known.
        variables: The trainable variables, in forward order.
        inputs: Of the first input; None if the data cannot be looked at.
        targets: Of the only output; None likewise.
        rules: Names of the rules that judge the run; empty where that is not known.
    """

    step: int
    iterations: int
    optimizer: str
    hyperparameters: Mapping[str, float]
    loss: str
    from_logits: bool
    steps_per_epoch: int
    batch_size: int
    layers: tuple[LayerMetadata, ...]
    output_width: int
    variables: tuple[VariableMetadata, ...]
    inputs: InputMetadata | None = None
    targets: TargetMetadata | None = None
    rules: tuple[str, ...] = ()
