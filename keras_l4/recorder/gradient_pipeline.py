"""From the arguments of `optimizer.apply` to the gradients of one step."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from keras import ops

from keras_l4 import backend, keras_internals
from keras_l4.backend.interface import Tensor, Variable

Gradient: TypeAlias = Tensor


@dataclass(frozen=True)
class StepGradients:
    """The gradients of one step, with respect to the recorded variables.

    Attributes:
        gradients: Gradients of the unscaled loss, averaged over micro-steps, before clipping; empty
            for a variable that the loss does not reach.
        clipped: Returns the gradients after clipping; None if nothing is clipped.
        is_first: True if this call is the first micro-step of its update.
        is_update: True if this call updates the weights: the last micro-step, or the only one.
        all_dense: True if every gradient is present and none is sparse.
        unrecorded: Returns the gradients with respect to the variables that are not recorded.
    """

    gradients: list[Gradient]
    clipped: Callable[[], list[Gradient]] | None
    is_first: Any
    is_update: Any
    all_dense: bool
    unrecorded: Callable[[], list[Gradient]]


class GradientPipeline:
    """What one optimizer does to gradients before its update rule: all-reduce, unscale, average, clip.

    Args:
        optimizer: The outermost optimizer.
        variables: The variables it was built with.
        positions: Positions of the recorded variables among them.
        xla: True if XLA compiles the step.
    """

    def __init__(
        self, optimizer: Any, variables: Sequence[Variable], positions: Sequence[int], xla: bool
    ) -> None:
        self.optimizer = optimizer
        self.inner = keras_internals.unwrap_loss_scaling(optimizer)
        self._xla = xla
        self.all_variables = list(variables)
        self.variables = [variables[i] for i in positions]
        # A dictionary rather than a set: `_pick` needs the order of the variables.
        self._recorded_keys = dict.fromkeys(self._key(v) for v in self.variables)
        self.slot_indices = [keras_internals.variable_index(self.inner, v) for v in self.variables]
        self._num_with_gradient = sum(
            not keras_internals.is_overwritten_by_gradient(self.inner, v) for v in variables
        )
        self._micro_steps = keras_internals.accumulation_steps(self.inner)

    def step_gradients(
        self, grads: Sequence[Gradient], variables: Sequence[Variable] | None
    ) -> StepGradients:
        """Returns the gradients of a call of `apply`, in the order of the recorded variables."""
        pairs = self._pairs(grads, variables)
        keys = [self._key(v) for v, _ in pairs]
        # Collective operations first: they have to run on every replica, outside of any branch.
        clipped_on_replicas = self._clipped_on_replicas(pairs)
        averaged = self._unscale_and_average(_all_reduced(pairs))
        clip = functools.partial(self._clip, pairs, averaged, clipped_on_replicas)
        is_any_sparse = any(backend.gradients.is_sparse(g) for _, g in pairs)
        return StepGradients(
            gradients=self._pick(keys, averaged),
            clipped=clip if keras_internals.has_clipping(self.inner) else None,
            is_first=self._is_first(),
            is_update=self._is_last(),
            all_dense=not is_any_sparse and len(pairs) == self._num_with_gradient,
            unrecorded=functools.partial(self._unrecorded, keys, averaged),
        )

    @property
    def merges_micro_steps(self) -> bool:
        """True if the micro-steps of an update share a row, including those that are not finite.

        Under dynamic loss scaling a micro-step that is not finite is skipped, and has its own row.
        """
        return self._micro_steps > 1 and self.inner is self.optimizer

    def scalars(self) -> list[Any]:
        """Returns the values of `SCALARS`: nominal learning rate and loss scale of this step."""
        scale = keras_internals.loss_scale(self.optimizer)
        return [keras_internals.learning_rate(self.inner), 1.0 if scale is None else scale]

    def raw_iterations(self) -> Any:
        """Returns the number of calls so far that were not skipped."""
        return backend.core.read_counter(keras_internals.raw_iterations(self.inner))

    def _pairs(
        self, grads: Sequence[Gradient], variables: Sequence[Variable] | None
    ) -> list[tuple[Variable, Gradient]]:
        pairs = zip(self.all_variables if variables is None else variables, grads, strict=True)
        return [
            (v, g)
            for v, g in pairs
            if g is not None and not keras_internals.is_overwritten_by_gradient(self.inner, v)
        ]

    def _key(self, variable: Variable) -> Any:
        return keras_internals.variable_key(self.inner, variable)

    def _pick(self, keys: Sequence[Any], gradients: Sequence[Gradient]) -> list[Gradient]:
        by_key = dict(zip(keys, gradients, strict=True))
        picked = [by_key.get(key) for key in self._recorded_keys]
        return [ops.zeros((0,), dtype="float32") if g is None else g for g in picked]

    def _clip(
        self,
        pairs: Sequence[tuple[Variable, Gradient]],
        averaged: Sequence[Gradient],
        clipped_on_replicas: Sequence[Gradient],
    ) -> list[Gradient]:
        variables = [v for v, _ in pairs]
        clipped = clipped_on_replicas or keras_internals.clip_gradients(
            self.inner, averaged, variables
        )
        return self._pick([self._key(v) for v in variables], clipped)

    def _unrecorded(self, keys: Sequence[Any], gradients: Sequence[Gradient]) -> list[Gradient]:
        pairs = zip(keys, gradients, strict=True)
        return [g for key, g in pairs if key not in self._recorded_keys]

    def _unscale_and_average(self, pairs: Sequence[tuple[Variable, Gradient]]) -> list[Gradient]:
        """Returns dense gradients of the unscaled loss, averaged over the micro-steps so far."""
        gradients = [backend.gradients.dense_gradient(g, self._xla) for _, g in pairs]
        scale = keras_internals.loss_scale(self.optimizer)
        if scale is not None:
            gradients = [g / ops.cast(scale, g.dtype) for g in gradients]
        if self._micro_steps == 1:
            return gradients
        accumulators = keras_internals.gradient_accumulators(self.inner, [v for v, _ in pairs])
        sums = backend.distribution.all_reduce_sum(
            [backend.core.read_variable(a, self._xla) for a in accumulators]
        )
        return [(g + a) / self._micro_steps for g, a in zip(gradients, sums, strict=True)]

    def _clipped_on_replicas(self, pairs: Sequence[tuple[Variable, Gradient]]) -> list[Gradient]:
        """Returns the clipped gradients if there are several replicas, else an empty list.

        Keras clips the gradient of each replica before it sums them, so that clipping the sum would
        give other numbers. The all-reduce is here, and not in `StepGradients.clipped`, because that is
        called in a branch that only the first replica takes.
        """
        if not (backend.distribution.is_replicated() and keras_internals.has_clipping(self.inner)):
            return []
        variables, gradients = [v for v, _ in pairs], [g for _, g in pairs]
        # `ops` rather than operators: these gradients may be sparse.
        scale = keras_internals.loss_scale(self.optimizer)
        if scale is not None:
            gradients = [ops.divide(g, ops.cast(scale, g.dtype)) for g in gradients]
        if self._micro_steps > 1:
            accumulated = zip(
                gradients, keras_internals.gradient_accumulators(self.inner, variables), strict=True
            )
            gradients = [ops.add(g, a) / self._micro_steps for g, a in accumulated]
        sums = backend.distribution.all_reduce_sum(
            keras_internals.clip_gradients(self.inner, gradients, variables)
        )
        return [backend.gradients.dense_gradient(g, self._xla) for g in sums]

    def _is_first(self) -> Any:
        """Returns True if this call is the first micro-step of its update."""
        return self._has_remainder(1)

    def _is_last(self) -> Any:
        """Returns True if this call is the last micro-step of its update."""
        return self._has_remainder(0)

    def _has_remainder(self, remainder: int) -> Any:
        """Compares the number of this call, from 1, modulo the number of micro-steps per update."""
        if self._micro_steps == 1:
            return True
        number = self.raw_iterations() + 1
        return backend.core.to_flag(ops.equal(number % self._micro_steps, remainder))


def _all_reduced(pairs: Sequence[tuple[Variable, Gradient]]) -> list[tuple[Variable, Gradient]]:
    sums = backend.distribution.all_reduce_sum([g for _, g in pairs])
    return [(v, g) for (v, _), g in zip(pairs, sums, strict=True)]
