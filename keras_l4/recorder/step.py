"""Step: the tensors of one optimizer step, and the numbers that quantities compute from them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn, TypeAlias

import numpy as np
from keras import ops

from keras_l4 import backend
from keras_l4.backend.common.safe_norms import safe_norms
from keras_l4.backend.interface import Tensor
from keras_l4.quantities import DeviceQuantity, NormQuantity, ReductionQuantity
from keras_l4.recorder.effective_rate import EffectiveRate
from keras_l4.recorder.gradient_pipeline import StepGradients

Tensors: TypeAlias = Sequence[Tensor]


def weights_not_recorded() -> NoReturn:
    """Raises: the pre-update weights of this step were not copied."""
    raise RuntimeError(
        "A quantity read the weights or the update of a step for which they were not copied. They "
        "are copied on sampled steps, for quantities with reads_weights = True: give it "
        "when = SAMPLED and reads_weights = True."
    )


class Step:
    """The gradients, weights and second moments of one step. Implements `StepContext`.

    Lists have one device tensor per recorded variable; the gradient of a variable that the loss
    does not reach is empty. Derived numbers are computed on first use, once.

    Args:
        rate: Computes the optimizer's effective learning rate.
        sizes: Number of elements of each variable, `int64[variables]`.
        gradients: Gradients of the unscaled loss over the whole step, before clipping.
        gradient_norms: Their norms, `float32[variables]`.
        clipped: Returns the gradients after clipping; None if nothing is clipped.
        weights_before: Returns the variables before the update.
        weights_after: Returns the variables after the update.
        second_moments: The optimizer's, after the update; empty tensors if it has none.
        mean_second_moments: Their means, `float32[variables]`.
        to_measure: The quantities that will be measured. Their norms are computed in one pass.
        to_reduce: The reductions that will be measured, in one pass over the elements.
    """

    def __init__(
        self,
        *,
        rate: EffectiveRate,
        sizes: np.ndarray,
        gradients: Tensors,
        gradient_norms: Tensor,
        clipped: Callable[[], Tensors] | None = None,
        weights_before: Callable[[], Tensors] = weights_not_recorded,
        weights_after: Callable[[], Tensors] = tuple,
        second_moments: Tensors = (),
        mean_second_moments: Tensor = None,
        to_measure: Sequence[DeviceQuantity] = (),
        to_reduce: Sequence[ReductionQuantity] = (),
    ) -> None:
        self.rate = rate
        self.sizes = sizes
        self.gradients = gradients
        self.gradient_norms = gradient_norms
        self._clipped = clipped
        self._weights_before = weights_before
        self._weights_after = weights_after
        self.second_moments = second_moments
        self.mean_second_moments = mean_second_moments
        self._norm_quantities = [q for q in to_measure if isinstance(q, NormQuantity)]
        self._reduction_quantities = to_reduce

    @cached_property
    def weights(self) -> Tensors:
        """The variables before the update."""
        return self._weights_before()

    @cached_property
    def updates(self) -> Tensors:
        """w_after - w_before, in float32 or wider."""
        pairs = zip(self._weights_after(), self.weights, strict=True)
        return [backend.core.subtract_in_float32(after, before) for after, before in pairs]

    @cached_property
    def rate_statistic(self) -> Tensor:
        """The number from which the effective learning rate is computed, `float32[variables]`."""
        return self.rate.statistic(self)

    @cached_property
    def clip_factors(self) -> Tensor:
        """‖clipped gradient‖ / ‖gradient‖, `float32[variables]`; 1 if the gradient is zero."""
        if self._clipped is None:
            return ops.ones_like(self.gradient_norms)
        is_zero = self.gradient_norms == 0
        norms = ops.where(is_zero, 1.0, self.gradient_norms)
        return ops.where(is_zero, 1.0, self.norms(self._clipped()) / norms)

    def norms(self, tensors: Tensors) -> Tensor:
        """Returns Euclidean norms without intermediate over- or underflow, `float32[variables]`."""
        return safe_norms(tensors)

    def norms_of(self, quantity: NormQuantity) -> Tensor:
        """Returns the norms of the tensors of `quantity`, `float32[variables]`."""
        return self._norms_by_name[quantity.name]

    @cached_property
    def _norms_by_name(self) -> dict[str, Tensor]:
        names = [q.name for q in self._norm_quantities]
        norms = self.norms([x for q in self._norm_quantities for x in q.tensors(self)])
        return dict(zip(names, ops.split(norms, len(names)), strict=True))

    def reductions_of(self, quantity: ReductionQuantity) -> Tensor:
        """Returns the reductions of `quantity`, `[variables]`."""
        return self._reductions_by_name[quantity.name]

    @cached_property
    def _reductions_by_name(self) -> dict[str, Tensor]:
        by_name: dict[str, Tensor] = {}
        sources = {"gradients": self.gradients, "second_moments": self.second_moments}
        for source, tensors in sources.items():
            quantities = [q for q in self._reduction_quantities if q.source == source]
            columns = backend.reductions.reduce_elements(
                tensors,
                functools.partial(self._map_elements, quantities),
                [q.reduction for q in quantities],
            )
            by_name |= zip((q.name for q in quantities), columns, strict=True)
        return by_name

    def _map_elements(self, quantities: Sequence[ReductionQuantity], x: Tensor) -> list[Tensor]:
        return [q.map_elements(x, self.rate) for q in quantities]

    def fraction(self, counts: Tensor) -> Tensor:
        """Returns counts divided by the number of elements, `float32[variables]`."""
        counts = backend.ring_buffer.concat_flat([counts], "float32")
        sizes = np.maximum(self.sizes, 1).astype(np.float32)
        return counts / backend.core.constant(sizes, counts)

    def fraction_not_counted(self, counts: Tensor) -> Tensor:
        """Returns the fraction of elements that are not in `counts`, `float32[variables]`."""
        # Subtract integers: in float32, 1 - fraction would lose a single element among millions.
        sizes = backend.core.constant(self.sizes.astype(np.int32), counts)
        return self.fraction(sizes - counts)

    def propagate_mean_nan(self, values: Tensor) -> Tensor:
        """Returns `values`, with NaN where the mean second moment is NaN."""
        mean = self.mean_second_moments
        return backend.core.where(backend.core.is_nan(mean), mean, values)


@dataclass(frozen=True)
class PendingStep:
    """The state of a step between its gradients and its update.

    Attributes:
        counters: Values of `Recorder.counters`.
        step_gradients: The gradients of the step.
        norms: Their norms, `float32[variables]`.
        has_nonfinite_norm: True if one of the norms is NaN or Inf.
        is_sampled: True if sampled quantities are measured.
        weights: Returns the weights before the update.
        slots: Returns the optimizer slots before the update that the rate depends on.
        scalars: Values of `SCALARS`, `float32[2]`.
        iterations: `optimizer.iterations`.
        raw_iterations: The counter of all calls that were not skipped.
        skipped_by_guard: True if the update guard skips the update.
    """

    counters: Any
    step_gradients: StepGradients
    norms: Tensor
    has_nonfinite_norm: Any
    is_sampled: Any
    weights: Callable[[], Tensors]
    slots: Callable[[], Tensors]
    scalars: Tensor
    iterations: Any
    raw_iterations: Any
    skipped_by_guard: Any
