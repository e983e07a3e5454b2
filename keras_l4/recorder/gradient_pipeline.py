"""Consumption: from what `apply` is given to the gradient of the whole step."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from keras import ops

from keras_l4 import backend, keras_internals


@dataclass(frozen=True)
class StepGradients:
    """The gradients of one step, of the recorded variables.

    Attributes:
        gradients: Of the unscaled loss, averaged over micro-steps, before clipping; empty for a
            variable that the loss does not reach.
        consumed: Gives them after clipping; None where nothing is clipped.
        is_first: Whether this call is the first of its update.
        is_update: Whether this call updates the weights; a micro-step does not.
        all_dense: Whether none of them is sparse or missing.
        unrecorded: Gives those of the variables that are not recorded.
    """

    gradients: list[Any]
    consumed: Callable[[], list[Any]] | None
    is_first: Any
    is_update: Any
    all_dense: bool
    unrecorded: Callable[[], list[Any]]


class GradientPipeline:
    """How one optimizer treats gradients before its update rule sees them.

    Args:
        optimizer: The outermost optimizer.
        variables: Those it was built with.
        positions: Which of them are recorded.
        xla: Whether XLA compiles the step.
    """

    def __init__(
        self, optimizer: Any, variables: Sequence[Any], positions: Sequence[int], xla: bool
    ) -> None:
        self.optimizer = optimizer
        self.inner = keras_internals.inner_optimizer(optimizer)
        self._xla = xla
        self.built_with = list(variables)
        self._num_watchable = sum(
            not keras_internals.is_overwritten(self.inner, v) for v in variables
        )
        self.variables = [variables[i] for i in positions]
        # In order, and one of thousands is found at once.
        self._recorded = dict.fromkeys(self._key(v) for v in self.variables)
        self.slots = [keras_internals.variable_index(self.inner, v) for v in self.variables]
        self._micro_steps = keras_internals.accumulation_steps(self.inner)

    def of(self, grads: Sequence[Any], variables: Sequence[Any] | None) -> StepGradients:
        """The gradients of this call, in the order of the recorded variables."""
        given = self._given(grads, variables)
        keys = [self._key(v) for v, _ in given]
        clipped = self._clipped_by_replica(given)
        whole = self._whole(_summed(given))
        consumed = None
        if keras_internals.clips(self.inner):
            of = [v for v, _ in given]
            consumed = lambda: self._pick(
                keys, clipped or keras_internals.clip(self.inner, whole, of)
            )
        gradients = self._pick(keys, whole)
        dense = (
            not any(backend.gradients.is_sparse(g) for _, g in given)
            and len(given) == self._num_watchable
        )
        rest = functools.partial(self._rest, keys, whole)
        return StepGradients(gradients, consumed, self._is_nth(1), self._is_nth(0), dense, rest)

    @property
    def keeps_micro_steps(self) -> bool:
        """Whether an update may add up micro-steps that were not finite.

        Dynamic loss scaling does not let them in: each has a row of its own.
        """
        return self._micro_steps > 1 and self.inner is self.optimizer

    def clock(self) -> list[Any]:
        """Nominal learning rate and loss scale of the step that begins, scalars."""
        scale = keras_internals.loss_scale(self.optimizer)
        return [keras_internals.learning_rate(self.inner), 1.0 if scale is None else scale]

    def raw_iterations(self) -> Any:
        """Counts the calls that were not skipped."""
        return backend.core.read_counter(keras_internals.raw_iterations(self.inner))

    def _given(
        self, grads: Sequence[Any], variables: Sequence[Any] | None
    ) -> list[tuple[Any, Any]]:
        pairs = zip(self.built_with if variables is None else variables, grads, strict=True)
        return [
            (v, g)
            for v, g in pairs
            if g is not None and not keras_internals.is_overwritten(self.inner, v)
        ]

    def _key(self, variable: Any) -> Any:
        return keras_internals.variable_key(self.inner, variable)

    def _pick(self, keys: Sequence[Any], gradients: Sequence[Any]) -> list[Any]:
        by_key = dict(zip(keys, gradients, strict=True))
        found = [by_key.get(key) for key in self._recorded]
        return [ops.zeros((0,), dtype="float32") if g is None else g for g in found]

    def _rest(self, keys: Sequence[Any], gradients: Sequence[Any]) -> list[Any]:
        return [g for key, g in zip(keys, gradients, strict=True) if key not in self._recorded]

    def _whole(self, given: Sequence[tuple[Any, Any]]) -> list[Any]:
        gradients = [backend.gradients.dense_gradient(g, self._xla) for _, g in given]
        scale = keras_internals.loss_scale(self.optimizer)
        if scale is not None:
            gradients = [g / ops.cast(scale, g.dtype) for g in gradients]
        if self._micro_steps == 1:
            return gradients
        held = keras_internals.accumulators(self.inner, [v for v, _ in given])
        sums = backend.distribution.all_reduce_sum(
            [backend.core.read_variable(a, self._xla) for a in held]
        )
        return [(g + a) / self._micro_steps for g, a in zip(gradients, sums, strict=True)]

    def _clipped_by_replica(self, given: Sequence[tuple[Any, Any]]) -> list[Any]:
        """The consumed gradients where there are replicas: each clips its own before they are summed.

        They are summed here: a branch, which only the first replica takes, cannot.
        """
        if not (backend.distribution.is_replicated() and keras_internals.clips(self.inner)):
            return []
        own = [g for _, g in given]
        scale = keras_internals.loss_scale(self.optimizer)
        if scale is not None:
            own = [ops.divide(g, ops.cast(scale, g.dtype)) for g in own]
        if self._micro_steps > 1:
            held = keras_internals.accumulators(self.inner, [v for v, _ in given])
            own = [ops.add(g, a) / self._micro_steps for g, a in zip(own, held, strict=True)]
        sums = backend.distribution.all_reduce_sum(
            keras_internals.clip(self.inner, own, [v for v, _ in given])
        )
        return [backend.gradients.dense_gradient(g, self._xla) for g in sums]

    def _is_nth(self, n: int) -> Any:
        """Whether this call is the n-th of its update, the 0-th being the last."""
        if self._micro_steps == 1:
            return True
        return backend.core.to_flag(ops.equal((self.raw_iterations() + 1) % self._micro_steps, n))


def _summed(given: Sequence[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    sums = backend.distribution.all_reduce_sum([g for _, g in given])
    return [(v, g) for (v, _), g in zip(given, sums, strict=True)]
