"""Annotations: data of a run that do not belong to a single step of the optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from keras_l4.records.metadata import ModelMetadata


@dataclass(frozen=True)
class ActivationStats:
    """Statistics of a layer's outputs on the probe batch.

    Attributes:
        name: Name of the layer, as in `LayerMetadata.name`.
        width: Number of units, i.e. the size of the last axis.
        mean_abs: Mean magnitude of the elements.
        std: Standard deviation of all elements.
        zero_fraction: Fraction of elements that are exactly zero.
        dead_unit_fraction: Fraction of units that are exactly zero for every example.
        mean_relative_derivative: Mean derivative of a sigmoid-like activation, relative to the
            largest derivative that the activation has; NaN for other activations.
        saturated_fraction: Fraction of elements whose relative derivative is below 0.1; NaN for
            other activations.
        variation: Largest standard deviation of a unit over the examples, relative to the root
            mean square of the layer's outputs. 0 means that all examples have the same output.
        num_nonfinite: Number of NaN and Inf elements.
    """

    name: str
    width: int
    mean_abs: float
    std: float
    zero_fraction: float
    dead_unit_fraction: float
    mean_relative_derivative: float
    saturated_fraction: float
    variation: float
    num_nonfinite: int


@dataclass(frozen=True)
class ProbeResult:
    """Outputs and scores of one forward pass on the probe batch.

    Scores that do not apply to the model's task are NaN.

    Attributes:
        step: Last step before the probe.
        epoch: Number of completed epochs.
        layers: Statistics of each layer's outputs, in the order in which the layers were called.
        accuracy: Fraction of correctly classified examples.
        majority_fraction: Fraction of the most frequent class in the batch.
        crossentropy: Mean of −log(probability of the true class). Requires that the model outputs
            class probabilities, or logits and a loss function with `from_logits=True`.
        baseline_crossentropy: Cross-entropy of the best constant prediction on this batch.
        explained_variance: 1 − residual sum of squares / total sum of squares of real targets. A
            robust loss function is scored by the median of the squares instead of their sum.
        num_answers: Number of distinct predicted classes; 0 for real targets.
        output_minimum, output_maximum: Range of the model's outputs.
        output_variation: Largest standard deviation of an output over the examples, relative to
            the root mean square of all outputs.
    """

    step: int
    epoch: int
    layers: tuple[ActivationStats, ...]
    accuracy: float
    majority_fraction: float
    crossentropy: float
    baseline_crossentropy: float
    explained_variance: float
    num_answers: int
    output_minimum: float
    output_maximum: float
    output_variation: float


@dataclass(frozen=True)
class EpochLogs:
    """The `logs` that Keras passed to `on_epoch_end`.

    Attributes:
        step: Last step of the epoch.
        epoch: Number of the epoch, from 0.
        logs: Metric name to value, e.g. `"loss"`, `"accuracy"`, `"val_loss"`.
    """

    step: int
    epoch: int
    logs: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class AbortedStep:
    """A step in which the framework raised an error because a number was not finite.

    Attributes:
        step: Last completed step, i.e. the one before the aborted step.
        message: Message of the error.
    """

    step: int
    message: str


@dataclass(frozen=True)
class CurvatureMeasurement:
    """The curvature of the loss at one moment, as `keras_l4.curvature` measures it.

    Attributes:
        step: Last step before the measurement.
        epoch: Number of completed epochs.
        loss: Loss on the examples that the curvature was measured on.
        gradient_norm: Norm of the gradient on the same examples.
        largest, smallest: Extreme eigenvalues of the Hessian.
        residuals: Error bounds of `largest` and `smallest`.
        trace, trace_error: Sum of the eigenvalues, and its standard error.
        condition_number: Largest eigenvalue, divided by the `quantile` of the eigenvalues'
            magnitudes; NaN if no eigenvalue is positive.
        is_lower_bound: True if the condition number may be larger.
        quantile: The quantile in the denominator of `condition_number`.
        kind: Kind of point in the loss landscape, e.g. `"saddle"` or `"minimum"`.
        noise_scale: Gradient noise scale in examples; NaN if it was not measured.
        distance: Distance from the weights at which `changes` were measured.
        changes: Name of a direction to the change of the loss along it.
        sharpness: Largest eigenvalue of the Hessian preconditioned by the optimizer; NaN for an
            optimizer whose preconditioner is unknown.
        threshold: Sharpness above which the optimizer diverges; NaN like `sharpness`.
        learning_rate: Learning rate of the optimizer; NaN like `sharpness`.
        largest_stable_learning_rate: Learning rate at which `sharpness` equals `threshold`; NaN
            like `sharpness`.
        num_hessian_vector_products: Number of Hessian-vector products of the measurement.
        seconds: Duration of the measurement.
    """

    step: int
    epoch: int
    loss: float
    gradient_norm: float
    largest: float
    smallest: float
    residuals: tuple[float, ...]
    trace: float
    trace_error: float
    condition_number: float
    is_lower_bound: bool
    quantile: float
    kind: str
    noise_scale: float
    distance: float
    changes: Mapping[str, float]
    sharpness: float
    threshold: float
    learning_rate: float
    largest_stable_learning_rate: float
    num_hessian_vector_products: int
    seconds: float


@dataclass(frozen=True)
class SurfaceSlice:
    """A two-dimensional slice of the loss surface, centered at the weights of one moment.

    Attributes:
        step: Last step before the slice was computed.
        epoch: Number of completed epochs.
        directions: The two axes: `"random"`, `"hessian"` or `"pca"`.
        multiples: Grid coordinates in multiples of the directions, the same for both axes.
        loss: Loss at the grid points `[first direction, second direction]`.
        path: Weights at several moments of training, in multiples of the directions.
        path_steps: Last step before each of these moments.
        path_loss: Loss at each of these moments. The weights need not lie in the slice.
        explained_variance: For `"pca"`, the fraction of the path's variance along each direction.
        unknown_filters: For `"random"`, paths of the variables that were normalized as a single
            filter, because their layer is unknown.
        seconds: Duration of the computation.
    """

    step: int
    epoch: int
    directions: str
    multiples: tuple[float, ...]
    loss: tuple[tuple[float, ...], ...]
    path: tuple[tuple[float, ...], ...]
    path_steps: tuple[int, ...]
    path_loss: tuple[float, ...]
    explained_variance: tuple[float, ...]
    unknown_filters: tuple[str, ...]
    seconds: float


Annotation: TypeAlias = (
    ModelMetadata | ProbeResult | EpochLogs | AbortedStep | CurvatureMeasurement | SurfaceSlice
)
