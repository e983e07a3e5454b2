"""Step: what the quantities of one optimizer step are measured from."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn

import numpy as np
from keras import ops

from keras_l4 import backend
from keras_l4.backend.common.safe_norms import safe_norms
from keras_l4.quantities import Folded, Measured, Normed
from keras_l4.recorder.effective_rate import Rate
from keras_l4.recorder.gradient_pipeline import StepGradients

Tensors = Sequence[Any]


def not_held() -> NoReturn:
    """The weights before the update, of a step for which nobody wanted them."""
    raise RuntimeError(
        "A quantity read the weights or the update of a step for which they are not held. They are "
        "held on sampled steps, for quantities that say so: give it when = SAMPLED and "
        "reads_weights = True."
    )


class Step:
    """The gradients, weights and second moments of one step, and what is computed from them.

    Lists have one device tensor per recorded variable; a missing gradient (a variable that the
    loss does not reach) is empty. Intermediates are computed at most once, and only when asked.

    Args:
        rate: The optimizer's effective learning rate.
        sizes: Number of elements of each variable, `int64[variables]`.
        gradients: Of the unscaled loss over the whole step, before clipping.
        gradient_norms: Their norms, `float32[variables]`.
        consumed: The gradients after clipping, or None where nothing is clipped.
        weights_before: Gives the variables before the update.
        weights_after: Gives the variables after it.
        second_moments: The optimizer's, after the update; empty tensors where it has none.
        mean_second_moments: Their means, `float32[variables]`.
        to_measure: The quantities that will be measured; those that are norms, in one pass.
        to_fold: Those that will be folded, in one pass over the elements.
    """

    def __init__(
        self,
        *,
        rate: Rate,
        sizes: np.ndarray,
        gradients: Tensors,
        gradient_norms: Any,
        consumed: Callable[[], Tensors] | None = None,
        weights_before: Callable[[], Tensors] = not_held,
        weights_after: Callable[[], Tensors] = tuple,
        second_moments: Tensors = (),
        mean_second_moments: Any = None,
        to_measure: Sequence[Measured] = (),
        to_fold: Sequence[Folded] = (),
    ) -> None:
        self.rate = rate
        self.sizes = sizes
        self.gradients = gradients
        self.gradient_norms = gradient_norms
        self._consumed = consumed
        self._weights_before = weights_before
        self._weights_after = weights_after
        self.second_moments = second_moments
        self.mean_second_moments = mean_second_moments
        self._to_norm = [q for q in to_measure if isinstance(q, Normed)]
        self._to_fold = to_fold

    @cached_property
    def weights(self) -> Tensors:
        """The variables before the update."""
        return self._weights_before()

    @cached_property
    def updates(self) -> Tensors:
        """w_after - w_before, in float32 or better."""
        pairs = zip(self._weights_after(), self.weights, strict=True)
        return [backend.core.subtract_in_float32(after, before) for after, before in pairs]

    @cached_property
    def rate_statistic(self) -> Any:
        """What the effective learning rate is computed from, `float32[variables]`."""
        return self.rate.statistic(self)

    @cached_property
    def clip_factors(self) -> Any:
        """‖consumed‖ / ‖gradient‖, `float32[variables]`; 1 for a gradient of zero."""
        if self._consumed is None:
            return ops.ones_like(self.gradient_norms)
        nothing = self.gradient_norms == 0
        norms = ops.where(nothing, 1.0, self.gradient_norms)
        return ops.where(nothing, 1.0, self.norms(self._consumed()) / norms)

    def norms(self, tensors: Tensors) -> Any:
        """Euclidean norms without over- or underflow on the way, `float32[variables]`."""
        return safe_norms(tensors)

    def normed(self, quantity: Normed) -> Any:
        """The norms of what `quantity` names: `float32[variables]`."""
        return self._norms[quantity.name]

    @cached_property
    def _norms(self) -> dict[str, Any]:
        names = [q.name for q in self._to_norm]
        norms = self.norms([x for q in self._to_norm for x in q.tensors(self)])
        return dict(zip(names, ops.split(norms, len(names)), strict=True))

    def folded(self, quantity: Folded) -> Any:
        """The elements of each variable, folded as `quantity` says: `[variables]`."""
        return self._folds[quantity.name]

    def share(self, counts: Any) -> Any:
        """Counts as a share of the variable's elements, `float32[variables]`."""
        shares = backend.ring_buffer.concat_flat([counts], "float32")
        return shares / backend.core.constant(np.maximum(self.sizes, 1).astype(np.float32), shares)

    def rest(self, counts: Any) -> Any:
        """The share of the elements that were not counted, `float32[variables]`."""
        return self.share(backend.core.constant(self.sizes.astype(np.int32), counts) - counts)

    def nan_like_mean(self, values: Any) -> Any:
        """NaN where the mean second moment says that there is one, else `values`."""
        mean = self.mean_second_moments
        return backend.core.where(backend.core.is_nan(mean), mean, values)

    @cached_property
    def _folds(self) -> dict[str, Any]:
        folds: dict[str, Any] = {}
        sources = {"gradients": self.gradients, "second_moments": self.second_moments}
        for over, tensors in sources.items():
            quantities = [q for q in self._to_fold if q.over == over]
            elements = functools.partial(self._elements, quantities)
            columns = backend.reductions.reduce_elements(
                tensors, elements, [q.fold for q in quantities]
            )
            folds |= zip((q.name for q in quantities), columns, strict=True)
        return folds

    def _elements(self, quantities: Sequence[Folded], x: Any) -> list[Any]:
        return [q.element(x, self.rate) for q in quantities]


@dataclass(frozen=True)
class PendingStep:
    """What is known of a step before its update."""

    counters: Any
    taken: StepGradients
    norms: Any
    suspicious: Any
    looked: Any
    weights: Callable[[], Sequence[Any]]
    slots: Callable[[], Sequence[Any]]
    clock: Any
    iterations: Any
    raw_iterations: Any
    held: Any
