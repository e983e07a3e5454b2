"""Recorder: measures each step on the device, in ring buffers that the host reads later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from keras import ops

from keras_l4 import backend
from keras_l4.backend.common.safe_norms import FLOAT32_MAX, safe_norms
from keras_l4.backend.interface import Ring, Tensor, Variable
from keras_l4.recorder.capacity import RingCapacity
from keras_l4.recorder.config import RecorderConfig
from keras_l4.recorder.effective_rate import EffectiveRate
from keras_l4.recorder.gradient_pipeline import GradientPipeline, StepGradients
from keras_l4.recorder.layout import Layout
from keras_l4.recorder.micro_steps import merge_micro_step_counts
from keras_l4.recorder.pre_update_weights import PreUpdateWeights
from keras_l4.recorder.second_moments import SecondMomentTracker
from keras_l4.recorder.step import PendingStep, Step, weights_not_recorded
from keras_l4.recorder.update_guard import UpdateGuard

CALLS_POSITION, ROWS_POSITION, SAMPLED_POSITION = range(3)
"""Positions in `Recorder.counters`."""


class Recorder:
    """Records the steps of one optimizer, on the device and without waiting for it.

    Attributes:
        config: The configuration.
        rate: Computes the optimizer's effective learning rate.
        layout: The columns of the ring buffers.
        capacity: The sizes of the ring buffers.
        gradient_pipeline: From the arguments of `apply` to the gradients of a step.
        guard: Skips updates; None if no update is to be skipped.
        second_moments: The mean second moments.
        pre_update_weights: Copies of the weights from before an update.
        counters: Number of calls, of finished rows and of sampled rows, `int[3]`.
        floats: Ring buffer `float32[capacity.rows, layout.float_width]`.
        integers: Ring buffer `int[capacity.rows, layout.integer_width]`.
        samples: Ring buffer `float32[capacity.samples, layout.sample_width]`.

    Args:
        optimizer: A built `keras.optimizers.Optimizer`, the outermost one.
        variables: The variables it was built with.
        rate: Computes its effective learning rate.
        config: The configuration.

    Raises:
        ValueError: `include` and `exclude` leave no variable.
    """

    def __init__(
        self,
        optimizer: Any,
        variables: Sequence[Variable],
        rate: EffectiveRate,
        config: RecorderConfig,
    ) -> None:
        self.config = config
        self.rate = rate
        layout, positions = Layout.of(variables, rate, config)
        self.layout, self.capacity = layout, RingCapacity.for_layout(layout, config)
        pipeline = GradientPipeline(optimizer, variables, positions, config.xla)
        self.gradient_pipeline = pipeline
        self.guard = (
            None if config.guard_mode == "off" else UpdateGuard(config.guard_mode, pipeline)
        )
        self.second_moments = SecondMomentTracker(rate, layout, pipeline, config.xla)
        self.pre_update_weights = PreUpdateWeights(rate, layout, pipeline, config.xla)

        def new_ring(name: str, rows: int, columns: int, dtype: str) -> Ring:
            # On the device of the first recorded variable.
            first = pipeline.variables[0]
            return backend.ring_buffer.create(name, (rows, columns), dtype, first)

        self.counters = backend.ring_buffer.create_counters(
            "keras_l4_counters", 3, pipeline.variables[0]
        )
        rows = self.capacity.rows
        self.floats = new_ring("keras_l4_floats", rows, layout.float_width, "float32")
        self.integers = new_ring("keras_l4_integers", rows, layout.integer_width, "int")
        self.samples = new_ring(
            "keras_l4_samples", self.capacity.samples, layout.sample_width, "float32"
        )

    @property
    def rings(self) -> list[Ring]:
        """All variables that the recorder keeps on the device between steps."""
        rings = [self.counters, self.floats, self.integers, self.second_moments.means, self.samples]
        guard = [self.guard.state] if self.guard else []
        return [*rings, *guard, *self.pre_update_weights.rings]

    def resume(self) -> None:
        """Prepares for another `fit`."""
        self.second_moments.reset_from_slots()
        self.pre_update_weights.resume()
        if self.guard:
            self.guard.reset()

    def record(
        self,
        grads: Sequence[Tensor],
        variables: Sequence[Variable] | None,
        update: Callable[[], None],
    ) -> None:
        """Runs `update`, the optimizer's own step, and records it.

        Args:
            grads: The arguments of `apply`: scaled, unclipped gradients of one micro-step.
            variables: The variables they belong to; None for those the optimizer was built with.
            update: Applies the gradients.
        """
        step_gradients = self.gradient_pipeline.step_gradients(grads, variables)
        if backend.distribution.is_recording_replica():
            pending = self._before_update(step_gradients)
            if self.guard:
                self.guard.apply(update, pending.skipped_by_guard)
            else:
                update()
            self._after_update(pending)
        elif self.guard:
            self.guard.apply_on_other_replica(update, step_gradients)
        else:
            update()

    @backend.core.no_grad
    def _before_update(self, step_gradients: StepGradients) -> PendingStep:
        pipeline = self.gradient_pipeline
        counters = backend.ring_buffer.read_counters(self.counters)
        norms = safe_norms(step_gradients.gradients)
        is_due = counters[ROWS_POSITION] % self.config.every == 0
        # NaN and Inf both compare False.
        has_nonfinite_norm = backend.core.to_flag(~backend.core.all_true(norms <= FLOAT32_MAX))
        is_sampled = backend.core.to_flag((step_gradients.is_update & is_due) | has_nonfinite_norm)
        return PendingStep(
            counters=counters,
            step_gradients=step_gradients,
            norms=norms,
            has_nonfinite_norm=has_nonfinite_norm,
            is_sampled=is_sampled,
            weights=self.pre_update_weights.snapshot(is_sampled),
            slots=self.second_moments.snapshot_slots(),
            scalars=backend.ring_buffer.concat_flat(pipeline.scalars(), "float32"),
            iterations=backend.core.read_counter(pipeline.optimizer.iterations),
            raw_iterations=pipeline.raw_iterations(),
            skipped_by_guard=(
                self.guard.should_skip(step_gradients, has_nonfinite_norm) if self.guard else False
            ),
        )

    @backend.core.no_grad
    def _after_update(self, pending: PendingStep) -> None:
        # A skipped update leaves the counter of the inner optimizer as it was.
        is_skipped = self.gradient_pipeline.raw_iterations() == pending.raw_iterations
        sampled_floats, counts, means = backend.core.cond_with_row(
            pending.is_sampled,
            lambda: self._measure_sampled(pending),
            lambda: self._measure_unsampled(pending, is_skipped),
            self.samples,
            pending.counters[SAMPLED_POSITION] % self.capacity.samples,
        )
        backend.ring_buffer.overwrite(self.second_moments.means, means)
        self._write_row(pending, is_skipped, sampled_floats, counts, means)
        # The row of a micro-step is not finished: the next call overwrites it.
        is_finished = backend.core.logical_or(pending.step_gradients.is_update, is_skipped)
        backend.ring_buffer.increment_counters(
            self.counters, pending.counters, [1, is_finished, pending.is_sampled & is_finished]
        )

    def _write_row(
        self, pending: PendingStep, is_skipped: Any, sampled_floats: Any, counts: Any, means: Tensor
    ) -> None:
        row = pending.counters[ROWS_POSITION] % self.capacity.rows
        floats = [*self._measure_per_step(pending, means), pending.scalars, sampled_floats]
        backend.ring_buffer.write(
            self.floats, row, backend.ring_buffer.concat_flat(floats, "float32")
        )
        skip_reason = (
            self.guard.skip_reason(is_skipped, pending.skipped_by_guard)
            if self.guard
            else is_skipped
        )
        index = [
            pending.counters[CALLS_POSITION],
            pending.iterations,
            pending.is_sampled,
            skip_reason,
        ]
        integers = backend.ring_buffer.concat_flat([*index, counts], self.integers.dtype)
        if self.gradient_pipeline.merges_micro_steps:
            earlier = ops.convert_to_tensor(self.integers)[row]
            is_first = pending.step_gradients.is_first
            integers = merge_micro_step_counts(self.layout, integers, earlier, is_first)
        backend.ring_buffer.write(self.integers, row, integers)

    def _measure_per_step(self, pending: PendingStep, means: Tensor) -> list[Tensor]:
        quantities = self.layout.per_step_quantities
        # Between sampled steps, weights are copied only if the rate reads updates.
        weights = pending.weights if self.rate.reads_updates else weights_not_recorded
        step = self._make_step(
            pending, weights_before=weights, mean_second_moments=means, to_measure=quantities
        )
        return [quantity.measure(step) for quantity in quantities]

    def _measure_sampled(self, pending: PendingStep) -> tuple[Sequence[Tensor], Tensor]:
        """Returns sampled floats, counts and mean second moments; and a row of samples."""
        second_moments = self.second_moments.per_element(pending.slots)
        means = backend.reductions.means(second_moments)
        step = self._make_step(
            pending,
            second_moments=second_moments,
            mean_second_moments=means,
            to_measure=self.layout.sampled_quantities,
            to_reduce=self.layout.reductions(is_zero_when_finite=False),
        )
        floats = [quantity.measure(step) for quantity in self.layout.sampled_quantities]
        nonfinite = self._count_nonfinite(pending)
        counts = [
            nonfinite[q.name] if q.is_zero_when_finite else q.measure(step)
            for q in self.layout.count_quantities
        ]
        rows = (
            backend.ring_buffer.concat_flat(floats, "float32"),
            backend.ring_buffer.concat_flat(counts, self.integers.dtype),
        )
        return (*rows, means), self._sample_elements(step)

    def _measure_unsampled(self, pending: PendingStep, is_skipped: Any) -> Sequence[Tensor]:
        """Returns the same as the first part of `_measure_sampled`.

        It has zeros for quantities that are not measured.
        """
        num = len(self.layout.variables)
        floats = ops.zeros((num * len(self.layout.sampled_quantities),), "float32")
        counts = ops.zeros((num * len(self.layout.count_quantities),), self.integers.dtype)
        return floats, counts, self.second_moments.advance(pending, is_skipped)

    def _count_nonfinite(self, pending: PendingStep) -> dict[str, Tensor]:
        quantities = self.layout.reductions(is_zero_when_finite=True)

        def count() -> list[Tensor]:
            step = self._make_step(pending, to_reduce=quantities)
            return [ops.cast(q.measure(step), self.integers.dtype) for q in quantities]

        zeros = ops.zeros((len(self.layout.variables),), self.integers.dtype)
        counts = backend.core.cond(
            pending.has_nonfinite_norm, count, lambda: [zeros for _ in quantities]
        )
        return dict(zip((q.name for q in quantities), counts, strict=True))

    def _sample_elements(self, step: Step) -> Tensor:
        """Samples second moments and gradients, `float32[layout.sample_width]`."""
        kinds = [step.second_moments] if self.layout.samples_second_moments else []
        kinds += [step.gradients] if self.layout.samples_gradients else []
        sizes = zip(self.layout.sample_strides, self.layout.sample_sizes.tolist(), strict=True)
        strides_and_sizes = list(sizes)
        samples = [
            backend.core.strided_sample(tensor, stride, size)
            for tensors in kinds
            for tensor, (stride, size) in zip(tensors, strides_and_sizes, strict=True)
        ]
        return backend.ring_buffer.concat_flat(samples or [0], "float32")

    def _read_weights(self) -> list[Tensor]:
        variables = self.gradient_pipeline.variables
        return [backend.core.read_variable(v, self.config.xla) for v in variables]

    def _make_step(self, pending: PendingStep, **arguments: Any) -> Step:
        return Step(
            rate=self.rate,
            sizes=self.layout.sizes,
            gradients=pending.step_gradients.gradients,
            gradient_norms=pending.norms,
            clipped=pending.step_gradients.clipped,
            weights_after=self._read_weights,
            **({"weights_before": pending.weights} | arguments),
        )
