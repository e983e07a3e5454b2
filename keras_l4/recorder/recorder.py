"""Recorder: measures each step on the device and keeps it in rings until the host reads it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras import ops

from keras_l4 import backend
from keras_l4.backend.common.safe_norms import safe_norms
from keras_l4.recorder.capacity import RingCapacity
from keras_l4.recorder.config import RecorderConfig
from keras_l4.recorder.effective_rate import Rate
from keras_l4.recorder.gradient_pipeline import GradientPipeline, StepGradients
from keras_l4.recorder.layout import Layout
from keras_l4.recorder.micro_steps import with_earlier
from keras_l4.recorder.pre_update_weights import PreUpdateWeights
from keras_l4.recorder.samples import sample
from keras_l4.recorder.second_moments import SecondMomentTracker
from keras_l4.recorder.step import PendingStep, Step, not_held
from keras_l4.recorder.update_guard import UpdateGuard


class Recorder:
    """Records the steps of one optimizer.

    The rings live on the device: counters (calls, rows, closer looks), rows of floats and of
    integers as `Layout` says, the mean second moments, and samples.

    Args:
        optimizer: A built `keras.optimizers.Optimizer`, the outermost one.
        variables: Those it was built with.
        rate: Its effective learning rate.
        settings: What to record.

    Raises:
        ValueError: `include` and `exclude` leave no variable.
    """

    def __init__(
        self, optimizer: Any, variables: Sequence[Any], rate: Rate, settings: RecorderConfig
    ) -> None:
        self.settings = settings
        self.rate = rate
        layout, positions = Layout.of(variables, rate, settings)
        self.layout, self.room = layout, RingCapacity.of(layout, settings)
        self.consumption = GradientPipeline(optimizer, variables, positions, settings.xla)
        self.guard = (
            None if settings.guard == "off" else UpdateGuard(settings.guard, self.consumption)
        )
        ring = functools.partial(backend.ring_buffer.new_ring, beside=self.consumption.variables[0])
        self.counters = backend.ring_buffer.new_counters(
            "keras_l4_counters", 3, self.consumption.variables[0]
        )
        self.floats = ring("keras_l4_floats", (self.room.rows, layout.num_floats), "float32")
        self.integers = ring("keras_l4_integers", (self.room.rows, layout.num_integers), "int")
        self.moments = SecondMomentTracker(rate, layout, self.consumption, settings.xla)
        self.weights = PreUpdateWeights(rate, layout, self.consumption, settings.xla)
        samples = (self.room.samples, layout.num_samples)
        self.samples = ring("keras_l4_samples", samples, "float32")

    @property
    def rings(self) -> list[Any]:
        """All that is kept on the device."""
        rings = [self.counters, self.floats, self.integers, self.moments.means, self.samples]
        guard = [self.guard.state] if self.guard else []
        return [*rings, *guard, *self.weights.rings]

    def resume(self) -> None:
        """Makes ready for another `fit`."""
        self.moments.look_up()
        self.weights.resume()
        if self.guard:
            self.guard.release()

    def record(
        self, grads: Sequence[Any], variables: Sequence[Any] | None, update: Callable[[], None]
    ) -> None:
        """Runs `update`, the optimizer's own step, and records it.

        Args:
            grads: What `apply` was given: scaled, unclipped, those of one micro-step.
            variables: The variables they belong to, or None for those it was built with.
            update: Applies the gradients.
        """
        taken = self.consumption.of(grads, variables)
        if backend.distribution.is_recording_replica():
            begun = self._begin(taken)
            run = functools.partial(self.guard.run, update, begun.held) if self.guard else update
            run()
            self._end(begun)
        elif self.guard:
            self.guard.follow(update, taken)
        else:
            update()

    @backend.core.no_grad
    def _begin(self, taken: StepGradients) -> PendingStep:
        counters = backend.ring_buffer.read_counters(self.counters)
        norms = safe_norms(taken.gradients)
        due = counters[1] % self.settings.every == 0
        suspicious = backend.core.to_flag(~backend.core.all_true(norms < np.inf))
        looked = backend.core.to_flag(taken.is_update & due | suspicious)
        return PendingStep(
            counters,
            taken,
            norms,
            suspicious,
            looked,
            self.weights.before(looked),
            self.moments.slots_before(),
            backend.ring_buffer.concat_flat(self.consumption.clock(), "float32"),
            backend.core.read_counter(self.consumption.optimizer.iterations),
            self.consumption.raw_iterations(),
            self.guard.holds(taken, suspicious) if self.guard else False,
        )

    @backend.core.no_grad
    def _end(self, begun: PendingStep) -> None:
        skipped = self.consumption.raw_iterations() == begun.raw_iterations
        floats, counts, means = backend.core.measure_if(
            begun.looked,
            lambda: self._look_closer(begun),
            lambda: self._pass_by(begun, skipped),
            self.samples,
            begun.counters[2] % self.room.samples,
        )
        backend.ring_buffer.overwrite(self.moments.means, means)
        to_measure = self.layout.every
        weights = begun.weights if self.rate.every_update else not_held
        known = {"mean_second_moments": means, "weights_before": weights}
        step = self._step(begun, to_measure=to_measure, **known)
        every = [quantity.measure(step) for quantity in to_measure]
        why = self.guard.why(skipped, begun.held) if self.guard else skipped
        index = [begun.counters[0], begun.iterations, begun.looked, why]
        row = begun.counters[1] % self.room.rows
        backend.ring_buffer.write(
            self.floats,
            row,
            backend.ring_buffer.concat_flat([*every, begun.clock, floats], "float32"),
        )
        integers = backend.ring_buffer.concat_flat([*index, counts], self.integers.dtype)
        if self.consumption.keeps_micro_steps:
            earlier = ops.convert_to_tensor(self.integers)[row]
            integers = with_earlier(self.layout, integers, earlier, begun.taken.is_first)
        backend.ring_buffer.write(self.integers, row, integers)
        # A micro-step leaves its row to be overwritten by the next call.
        done = backend.core.logical_or(begun.taken.is_update, skipped)
        backend.ring_buffer.increment_counters(
            self.counters, begun.counters, [1, done, begun.looked & done]
        )

    def _look_closer(self, begun: PendingStep) -> tuple[Sequence[Any], Any]:
        moments = self.moments.of_elements(begun.slots)
        means = backend.reductions.means(moments)
        step = self._step(
            begun,
            second_moments=moments,
            mean_second_moments=means,
            to_measure=self.layout.closer,
            to_fold=self.layout.folded(of_nonfinite=False),
        )
        floats = [quantity.measure(step) for quantity in self.layout.closer]
        nonfinite = self._count_nonfinite(begun)
        counts = [
            nonfinite[q.name] if q.of_nonfinite else q.measure(step) for q in self.layout.counts
        ]
        rows = (
            backend.ring_buffer.concat_flat(floats, "float32"),
            backend.ring_buffer.concat_flat(counts, self.integers.dtype),
        )
        return (*rows, means), sample(self.layout, step)

    def _count_nonfinite(self, begun: PendingStep) -> dict[str, Any]:
        quantities = self.layout.folded(of_nonfinite=True)

        def count() -> list[Any]:
            step = self._step(begun, to_fold=quantities)
            return [ops.cast(q.measure(step), self.integers.dtype) for q in quantities]

        zeros = ops.zeros((len(self.layout.variables),), self.integers.dtype)
        counted = backend.core.cond(begun.suspicious, count, lambda: [zeros for _ in quantities])
        return dict(zip((q.name for q in quantities), counted, strict=True))

    def _pass_by(self, begun: PendingStep, skipped: Any) -> Sequence[Any]:
        num = len(self.layout.variables)
        floats = ops.zeros((num * len(self.layout.closer),), "float32")
        counts = ops.zeros((num * len(self.layout.counts),), self.integers.dtype)
        return floats, counts, self.moments.after(begun, skipped)

    def _values(self) -> list[Any]:
        return [
            backend.core.read_variable(v, self.settings.xla) for v in self.consumption.variables
        ]

    def _step(self, begun: PendingStep, **known: Any) -> Step:
        known = {"weights_before": begun.weights} | known
        return Step(
            rate=self.rate,
            sizes=self.layout.sizes,
            gradients=begun.taken.gradients,
            gradient_norms=begun.norms,
            consumed=begun.taken.consumed,
            weights_after=self._values,
            **known,
        )
