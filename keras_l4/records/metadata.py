"""Metadata: the model, its optimizer and its data as training begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Task = Literal["binary", "one-hot", "labels", "multi-label", "real"]


@dataclass(frozen=True)
class VariableMetadata:
    """One trainable variable as training begins.

    Attributes:
        path: Path of the variable, as in `Variable.path`.
        layer: Name of its layer, as in `Variable.layer`.
        shape: Shape of the tensor.
        is_in_optimizer: True if the recorded optimizer updates the variable.
        fan_in: Inputs of a unit, as Keras' initializers count them; 0 for a vector.
        fan_out: Outputs of a unit, as Keras' initializers count them; 0 for a vector.
        mean: Mean of the elements. Large variables are sampled.
        std: Standard deviation of the elements. Large variables are sampled.
        is_symmetric: True if the variable has several units and all of them are equal.
    """

    path: str
    layer: str
    shape: tuple[int, ...]
    is_in_optimizer: bool
    fan_in: int
    fan_out: int
    mean: float
    std: float
    is_symmetric: bool


@dataclass(frozen=True)
class LayerMetadata:
    """One layer without sublayers.

    Attributes:
        name: Name of the layer as in `Variable.layer`; `layer.name` if it has no variables.
        kind: Name of the layer's class, e.g. `"Dense"`.
        activation: Name of the activation function, empty if there is none.
        compute_dtype: The layer's `compute_dtype`.
    """

    name: str
    kind: str
    activation: str
    compute_dtype: str


@dataclass(frozen=True)
class InputMetadata:
    """A sample of the inputs that were passed to `fit`.

    Attributes:
        shape: Shape of one example.
        num_examples: Number of examples that `fit` was given.
        minimum, maximum, mean, std: Statistics of all finite elements of the sample.
        scale: Largest root mean square of a feature (last axis); constant features are ignored.
        feature_ratio: `scale`, divided by the smallest root mean square of a feature.
        num_nonfinite: Number of NaN and Inf elements in the sample.
        is_integer: True if the inputs are integers, i.e. tokens or categories.
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
    is_integer: bool


@dataclass(frozen=True)
class TargetMetadata:
    """A sample of the targets that were passed to `fit`.

    Attributes:
        task: The kind of targets that the values look like.
        width: Number of target values per example.
        minimum, maximum, mean, std: Statistics of all finite elements of the sample.
        num_classes: Number of distinct classes in the sample; 0 for real targets.
        majority_fraction: Fraction of the most frequent class; NaN for real targets.
        trivial_loss: The lowest loss that a constant prediction reaches; NaN for a loss function
            whose best constant prediction has no known closed form.
        num_nonfinite: Number of NaN and Inf elements in the sample.
    """

    task: Task
    width: int
    minimum: float
    maximum: float
    mean: float
    std: float
    num_classes: int
    majority_fraction: float
    trivial_loss: float
    num_nonfinite: int


@dataclass(frozen=True)
class ModelMetadata:
    """The model, its optimizer and its data as training begins.

    Attributes:
        step: First step that is recorded after this annotation.
        iterations: Keras' `optimizer.iterations`, 0 if the weights are still the initial ones.
        optimizer: Name of the optimizer's class.
        hyperparameters: Numeric hyperparameters of the optimizer: learning rate, momentum, ...
        loss: Name of the loss function, e.g. `"mean_squared_error"`.
        from_logits: True if the loss function expects logits.
        steps_per_epoch: Number of batches per epoch; 0 if unknown.
        batch_size: Number of examples per batch; 0 if unknown.
        layers: Layers without sublayers, in forward order.
        output_width: Size of the last axis of the output; 0 if unknown or if there are several
            outputs.
        variables: The trainable variables, in forward order.
        inputs: Sample of the first input; None if the data could not be sampled.
        targets: Sample of the targets; None if the data could not be sampled or if there are
            several outputs.
        rules: Names of the rules that evaluate the run; empty if unknown.
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
