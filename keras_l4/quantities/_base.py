"""The base classes of quantities, and protocols for what a quantity may read."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Protocol, TypeAlias

from keras_l4.registry import Registry

if TYPE_CHECKING:
    import numpy as np

Tensor: TypeAlias = Any
Tensors: TypeAlias = Sequence[Tensor]
When: TypeAlias = Literal["every step", "sampled"]

EVERY_STEP: Final = "every step"
SAMPLED: Final = "sampled"

registry: Registry[Quantity] = Registry("name")
"""All quantities by name, in order of registration."""


class Quantity(abc.ABC):
    """One number per variable and step.

    Subclass `DeviceQuantity`, `NormQuantity`, `ReductionQuantity` or `DerivedQuantity`, and set
    the attributes below. Defining a class with a `name` registers it. Quantities whose name begins
    with an underscore are intermediates: they are measured, but not part of a `StepBlock`.

    Attributes:
        name: Name in `StepBlock.values`, in TensorBoard tags and in event files.
        unit: Unit, in words.
        when: `EVERY_STEP` or `SAMPLED`. A step is sampled if it is one in `every`, or if the norm of
            a gradient is not finite.
        pool: How the values of a layer's variables become the layer's value: a key of
            `keras_l4.records.pooling.POOLINGS`.
        requires_elementwise_rate: True if the quantity describes the effective learning rates of
            single elements. It is left out for optimizers without a closed form.
    """

    name: ClassVar[str]
    unit: ClassVar[str]
    when: ClassVar[When]
    pool: ClassVar[str]
    requires_elementwise_rate: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        registry.register(cls)


class DeviceQuantity(Quantity):
    """A quantity that is measured on the device. Abstract.

    Attributes:
        dtype: `"float"` (float32) or `"int"` (an exact count).
        is_zero_when_finite: True if the quantity is zero on every step whose gradient norms are all
            finite. It is then measured on the other steps only.
        reads_weights: True if `measure` may read `step.weights` or `step.updates`. Copies of the
            weights are made only if a recorded quantity sets this.
    """

    dtype: ClassVar[Literal["float", "int"]] = "float"
    is_zero_when_finite: ClassVar[bool] = False
    reads_weights: ClassVar[bool] = True

    @abc.abstractmethod
    def measure(self, step: StepContext) -> Tensor:
        """Returns a tensor `[variables]`."""


class NormQuantity(DeviceQuantity):
    """A Euclidean norm. Abstract. The norms of all such quantities are computed in one pass."""

    @abc.abstractmethod
    def tensors(self, step: StepContext) -> Tensors:
        """Returns the tensors to take the norm of, one per variable."""

    def measure(self, step: StepContext) -> Tensor:
        return step.norms_of(self)


class ReductionQuantity(DeviceQuantity):
    """A reduction over the elements of each variable. Abstract.

    All reductions over the same tensors are computed in one pass over their elements.

    Attributes:
        source: Which tensors of the step are reduced.
        reduction: How the results of `map_elements` are reduced to one number: `"count"` counts the
            True elements of a mask; `"max_abs"` is NaN if an element is NaN; `"maximum"` and
            `"minimum"` may miss a NaN.
    """

    source: ClassVar[Literal["gradients", "second_moments"]] = "gradients"
    reduction: ClassVar[Literal["count", "max_abs", "maximum", "minimum"]] = "count"
    reads_weights = False

    @abc.abstractmethod
    def map_elements(self, x: Tensor, rate: ElementwiseRate) -> Tensor:
        """Returns what is reduced, in the shape of `x`: a mask for `"count"`, else numbers.

        Args:
            x: Tensor of one variable, or of several variables concatenated. The result must
                depend on each element alone.
            rate: The optimizer's effective learning rate.
        """

    def measure(self, step: StepContext) -> Tensor:
        return step.reductions_of(self)


class DerivedQuantity(Quantity):
    """A quantity that is computed on the host, in float64, from measured ones. Abstract.

    Attributes:
        reads: Names of the quantities that `derive` and `derive_layers` read.
    """

    reads: ClassVar[tuple[str, ...]]

    @abc.abstractmethod
    def derive(self, measured: MeasuredValues) -> np.ndarray:
        """Returns the values, `[steps, variables]`."""

    def derive_layers(self, measured: MeasuredValues) -> np.ndarray | None:
        """Returns the values `[steps, layers]`, or None to pool them from the variables."""
        return None


class StepContext(Protocol):
    """One optimizer step on the device, as quantities and effective learning rates see it.

    Lists have one tensor per recorded variable. Values are computed on first use, once.

    Attributes:
        gradients: Gradients of the unscaled loss over the whole step, before clipping. A variable
            that the loss does not reach has an empty tensor.
        gradient_norms: Their Euclidean norms, `float32[variables]`.
        mean_second_moments: Means of the optimizer's second moments after the update,
            `float32[variables]`.
    """

    @property
    def gradients(self) -> Tensors: ...

    @property
    def gradient_norms(self) -> Tensor: ...

    @property
    def mean_second_moments(self) -> Tensor: ...

    @property
    def weights(self) -> Tensors:
        """The variables before the update."""

    @property
    def updates(self) -> Tensors:
        """w_after - w_before, in float32 or wider."""

    @property
    def rate_statistic(self) -> Tensor:
        """The number from which the effective learning rate is computed, `float32[variables]`."""

    @property
    def clip_factors(self) -> Tensor:
        """‖clipped gradient‖ / ‖gradient‖, `float32[variables]`."""

    def norms(self, tensors: Tensors) -> Tensor:
        """Returns Euclidean norms without intermediate over- or underflow, `float32[variables]`."""

    def norms_of(self, quantity: NormQuantity) -> Tensor:
        """Returns the norms of the tensors of `quantity`, `float32[variables]`."""

    def reductions_of(self, quantity: ReductionQuantity) -> Tensor:
        """Returns the reductions of `quantity`, `[variables]`."""

    def fraction(self, counts: Tensor) -> Tensor:
        """Returns counts divided by the number of elements, `float32[variables]`."""

    def fraction_not_counted(self, counts: Tensor) -> Tensor:
        """Returns the fraction of elements that are not in `counts`, `float32[variables]`."""

    def propagate_mean_nan(self, values: Tensor) -> Tensor:
        """Returns `values`, with NaN where the mean second moment is NaN."""


class MeasuredValues(Protocol):
    """Measured quantities of several steps on the host; `measured[name]` is `[steps, variables]`."""

    def __getitem__(self, name: str) -> np.ndarray: ...

    def effective_rate(self, statistic: np.ndarray) -> np.ndarray:
        """Returns the effective learning rate of a statistic `[steps, ...]`, in float64."""

    @property
    def variable_quantiles(self) -> Mapping[float, np.ndarray]:
        """Level to quantile of the effective learning rate, `[steps, variables]`."""

    @property
    def layer_quantiles(self) -> Mapping[float, np.ndarray]:
        """Level to quantile over all variables of a layer, `[steps, layers]`."""


class ElementwiseRate(Protocol):
    """The conditions on a second moment that quantities count."""

    def is_epsilon_dominated(self, second_moment: Tensor) -> Tensor:
        """Returns a mask of the elements whose denominator is ε rather than the second moment."""

    def is_undefined(self, second_moment: Tensor) -> Tensor:
        """Returns a mask of the elements whose effective learning rate is NaN."""
