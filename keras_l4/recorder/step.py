"""Step: what the quantities of one optimizer step are measured from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from keras import ops

from keras_l4 import backend
from keras_l4.recorder.rate import Rate

Tensors = Sequence[Any]


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
        weights: The variables before the update.
        weights_after: The variables after it.
        second_moments: The optimizer's, after the update; empty tensors where it has none.
        mean_second_moments: Their means, `float32[variables]`.
    """

    def __init__(
        self,
        *,
        rate: Rate,
        sizes: np.ndarray,
        gradients: Tensors,
        gradient_norms: Any,
        consumed: Callable[[], Tensors] | None = None,
        weights: Tensors = (),
        weights_after: Tensors = (),
        second_moments: Tensors = (),
        mean_second_moments: Any = None,
    ) -> None:
        self.rate = rate
        self.sizes = sizes
        self.gradients = gradients
        self.gradient_norms = gradient_norms
        self._consumed = consumed
        self.weights = weights
        self._weights_after = weights_after
        self.second_moments = second_moments
        self.mean_second_moments = mean_second_moments

    @cached_property
    def updates(self) -> Tensors:
        """w_after - w_before, in float32 or better."""
        pairs = zip(self._weights_after, self.weights, strict=True)
        return [backend.widen(after) - backend.widen(before) for after, before in pairs]

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
        return backend.exact_norms(tensors)

    def max_abs(self, tensors: Tensors) -> Any:
        """max|x|, `float32[variables]`; 0 for an empty tensor."""
        return self.maximum([ops.abs(x) for x in tensors])

    def maximum(self, tensors: Tensors) -> Any:
        """Largest elements, `float32[variables]`; NaN where there is one, 0 for an empty tensor."""
        return self._each(backend.maximum, tensors)

    def minimum(self, tensors: Tensors) -> Any:
        """Smallest elements, `float32[variables]`; NaN where there is one, 0 for an empty one."""
        return self._each(lambda x: -backend.maximum(-x), tensors)

    def count(self, tensors: Tensors, predicate: Callable[[Any], Any]) -> Any:
        """Exact number of elements for which `predicate` holds, integers `[variables]`."""
        return ops.stack([backend.count(predicate(x)) for x in tensors])

    def fraction(self, tensors: Tensors, predicate: Callable[[Any], Any]) -> Any:
        """Share of the variable's elements for which `predicate` holds, `float32[variables]`."""
        counts = ops.cast(self.count(tensors, predicate), "float32")
        return ops.divide(counts, np.maximum(self.sizes, 1).astype(np.float32))

    def fraction_of_zeros(self, tensors: Tensors) -> Any:
        """Share of exact zeros; the rows that a sparse gradient leaves out are zeros too."""
        nonzero = self.fraction(tensors, backend.is_nonzero)
        return ops.subtract((self.sizes > 0).astype(np.float32), nonzero)

    def _each(self, function: Callable[[Any], Any], tensors: Tensors) -> Any:
        return ops.stack([ops.cast(function(x), "float32") for x in tensors])
