"""Notes: what is known of a run beside its steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from keras_l4.records.metadata import ModelMetadata


@dataclass(frozen=True)
class ActivationStats:
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
class ProbeResult:
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
        explained: 1 − residual by variance of the targets, for real targets, or by median squares
            where the loss is a robust one; else NaN.
        num_answers: Number of different predicted classes; 0 for real targets.
        output_minimum, output_maximum: Of the model's output.
        output_variation: Largest spread of an output over the examples, relative to its magnitude.
    """

    step: int
    epoch: int
    layers: tuple[ActivationStats, ...]
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


@dataclass(frozen=True)
class AbortedStep:
    """A step that the framework did not finish, since a number in it was not finite.

    Attributes:
        step: Last step before it.
        message: What it said.
    """

    step: int
    message: str


@dataclass(frozen=True)
class CurvatureMeasurement:
    """The curvature of the loss at one moment, as `keras_l4.curvature` measures it.

    Attributes:
        step: Last step before it.
        epoch: Epochs done by then.
        loss: Of the data that it was measured on.
        gradient_norm: Likewise.
        largest, smallest: Extreme eigenvalues of the Hessian.
        residuals: Bounds of their errors.
        trace, trace_error: Sum of the eigenvalues, and its standard error.
        condition_number: λmax/|λ|_q; NaN where nothing curves upward.
        is_lower_bound: Whether it may be larger.
        quantile: q.
        density_values, density_weights: Distribution of the eigenvalues, as weighted points.
        kind: What kind of place it is: `"saddle"`, `"minimum"`, ...
        noise_scale: Gradient noise scale in examples; NaN where it was not needed.
        distance: How far `changes` were measured.
        changes: Direction to change of the loss.
        sharpness: Largest eigenvalue as the optimizer sees it; NaN where that is not known.
        threshold: Sharpness at which it diverges; NaN likewise.
        learning_rate: That of the optimizer; NaN likewise.
        largest_stable_learning_rate: The one at the edge; NaN likewise.
        num_hessian_vector_products, seconds: What the measurement took.
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
    density_values: tuple[float, ...]
    density_weights: tuple[float, ...]
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
    """A slice of the loss surface around the weights at one moment, and the way that led there.

    Attributes:
        step: Last step before it.
        epoch: Epochs done by then.
        directions: What the two axes are: `"random"`, `"hessian"` or `"pca"`.
        multiples: Of the directions, the same along both axes.
        loss: At them, the first direction along the first axis.
        path: Weights at several moments of training, in multiples of the directions.
        path_steps: Last steps before these moments.
        path_loss: Loss at them, which need not lie in the slice.
        explained_variance: For `"pca"`, the share of the path's variance along each direction.
        unknown_filters: For `"random"`, paths of the weights that were taken for one filter.
        seconds: What it took.
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


Annotation = (
    ModelMetadata | ProbeResult | EpochLogs | AbortedStep | CurvatureMeasurement | SurfaceSlice
)
