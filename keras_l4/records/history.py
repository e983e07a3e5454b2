"""History: condenses a run of any length into a `Record` of bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from keras_l4.records.annotations import (
    AbortedStep,
    Annotation,
    CurvatureMeasurement,
    EpochLogs,
    ProbeResult,
    SurfaceSlice,
)
from keras_l4.records.block import StepBlock
from keras_l4.records.metadata import ModelMetadata
from keras_l4.records.nonfinite import NonFinite, nonfinite_events
from keras_l4.records.selection import concatenate_blocks, select_steps

_MAX_EVENTS = 256
_NUM_FIRST_STEPS = 256
"""A run's first steps, which are never dropped: most faults show there."""

_AnnotationT = TypeVar("_AnnotationT", bound=Annotation)


@dataclass(frozen=True)
class Record:
    """The condensed run that rules read.

    Attributes:
        block: Steps of the whole run: the first ones, then every n-th, and every m-th sampled one.
        batch_loss: Mean loss of the batches since the previous step with a loss,
            `float64[steps]`; NaN for steps without one. Keras reports means over the epoch instead.
        num_steps: Number of steps of the run.
        events: The first non-finite gradients, except those of steps that loss scaling skipped.
        metadata: Metadata of the model; None if unknown.
        probes: Results of the probe, sorted by step.
        epoch_logs: Logs of each epoch.
        curvature_measurements: Measurements of the curvature, sorted by step.
        aborted_steps: Steps in which the framework raised an error.
    """

    block: StepBlock
    batch_loss: np.ndarray
    num_steps: int
    events: tuple[NonFinite, ...] = ()
    metadata: ModelMetadata | None = None
    probes: tuple[ProbeResult, ...] = ()
    epoch_logs: tuple[EpochLogs, ...] = ()
    curvature_measurements: tuple[CurvatureMeasurement, ...] = ()
    aborted_steps: tuple[AbortedStep, ...] = ()


@dataclass
class History:
    """Collects the blocks and annotations of a run, and builds its `Record`.

    Memory is bounded: each time the retained steps exceed the limit, every second one is dropped.
    Which steps are retained depends on their number in the run only, so that the record is the
    same however the run was divided into blocks.

    Attributes:
        metadata: Metadata of the model; None if unknown.
    """

    metadata: ModelMetadata | None = None
    _retained: list[RetainedSteps] = field(default_factory=list)
    _events: list[NonFinite] = field(default_factory=list)
    _annotations: list[Annotation] = field(default_factory=list)
    _num_steps: int = 0
    _num_samples: int = 0
    _stride: int = 1
    _sample_stride: int = 1
    _last_loss: tuple[int, int, float] = (-1, -1, float("nan"))
    """Epoch, batch and mean loss of the last step with a loss."""

    def add(self, item: StepBlock | Annotation) -> None:
        """Adds the next block or annotation."""
        if isinstance(item, StepBlock):
            self._on_block(item)
        elif isinstance(item, ModelMetadata):
            self._on_metadata(item)
        elif not isinstance(item, SurfaceSlice):  # No rule reads slices, and they are large.
            self._annotations.append(item)

    def record(self) -> Record | None:
        """Returns the record of everything added so far; None before the first block."""
        if not self._retained:
            return None
        steps = RetainedSteps.concatenate(self._retained)
        self._retained = [steps]
        return Record(
            block=steps.block,
            batch_loss=steps.batch_loss,
            num_steps=self._num_steps,
            events=tuple(self._events),
            metadata=self.metadata,
            probes=self._annotations_of(ProbeResult),
            epoch_logs=self._annotations_of(EpochLogs),
            curvature_measurements=self._annotations_of(CurvatureMeasurement),
            aborted_steps=self._annotations_of(AbortedStep),
        )

    def _annotations_of(self, cls: type[_AnnotationT]) -> tuple[_AnnotationT, ...]:
        return tuple(item for item in self._annotations if isinstance(item, cls))

    def _on_metadata(self, metadata: ModelMetadata) -> None:
        """Starts a new run, unless this `fit` continues to train the weights of the last one."""
        is_new_run = metadata.iterations == 0
        if self.metadata is None or is_new_run or not _has_same_variables(self.metadata, metadata):
            self._reset(metadata)
        else:
            self.metadata = replace(self.metadata, rules=metadata.rules)

    def _on_block(self, block: StepBlock) -> None:
        if self._retained and self._retained[-1].block.variables != block.variables:
            self._reset(self.metadata)
        # A step that loss scaling skipped did not change the weights.
        events = [event for event in nonfinite_events(block) if not event.skipped]
        self._events += events[: _MAX_EVENTS - len(self._events)]
        steps = self._number(block)
        self._downsample(len(block.variables))
        retained = steps.downsampled(self._stride, self._sample_stride)
        self._retained.append(replace(retained, block=_to_stored_precision(retained.block)))

    def _number(self, block: StepBlock) -> RetainedSteps:
        """Numbers the steps of the run, and its sampled steps, consecutively."""
        sampled = np.flatnonzero(block.sampled)
        sample_numbers = np.full(len(block), -1)
        sample_numbers[sampled] = self._num_samples + np.arange(len(sampled))
        step_numbers = self._num_steps + np.arange(len(block))
        self._num_steps += len(block)
        self._num_samples += len(sampled)
        return RetainedSteps(block, self._batch_loss(block), step_numbers, sample_numbers)

    def _reset(self, metadata: ModelMetadata | None) -> None:
        vars(self).update(vars(History(metadata)))

    def _downsample(self, num_variables: int) -> None:
        """Doubles the strides until the steps fit, and drops the steps that they exclude."""
        max_steps = int(np.clip(2**20 // max(1, num_variables), 256, 4096))
        strides = self._stride, self._sample_stride
        while self._num_steps // self._stride > max_steps:
            self._stride *= 2
        while self._num_samples // self._sample_stride > max_steps // 4:
            self._sample_stride *= 2
        if strides != (self._stride, self._sample_stride):
            self._retained = [
                steps.downsampled(self._stride, self._sample_stride) for steps in self._retained
            ]

    def _batch_loss(self, block: StepBlock) -> np.ndarray:
        out = np.full(len(block), np.nan)
        for row in np.flatnonzero(~np.isnan(block.loss)).tolist():
            epoch, batch, mean = block.epochs[row], block.batches[row], block.loss[row]
            out[row] = self._mean_since_last_loss(int(epoch), int(batch), float(mean))
        return out

    def _mean_since_last_loss(self, epoch: int, batch: int, mean: float) -> float:
        """Returns the mean over the batches since the last loss, from two means over the epoch."""
        last_epoch, last_batch, last_mean = self._last_loss
        self._last_loss = epoch, batch, mean
        if epoch != last_epoch or batch <= last_batch:
            return mean
        return ((batch + 1) * mean - (last_batch + 1) * last_mean) / (batch - last_batch)


def build_record(items: Iterable[StepBlock | Annotation]) -> Record:
    """Builds the record of a whole run.

    Raises:
        ValueError: There is no block among `items`.
    """
    history = History()
    for item in items:
        history.add(item)
    record = history.record()
    if record is None:
        raise ValueError(
            "build_record was given no block: the run recorded no step, or has not flushed one yet."
        )
    return record


@dataclass
class RetainedSteps:
    """Steps that a `History` retains.

    Attributes:
        block: The steps.
        batch_loss: As in `Record`.
        step_numbers: Position of each step in the run, from 0.
        sample_numbers: Position of each step among the sampled steps of the run, from 0; -1 for
            steps that are not sampled.
    """

    block: StepBlock
    batch_loss: np.ndarray
    step_numbers: np.ndarray
    sample_numbers: np.ndarray

    @classmethod
    def concatenate(cls, parts: list[RetainedSteps]) -> RetainedSteps:
        """Concatenates consecutive parts of a run."""
        return cls(
            concatenate_blocks([part.block for part in parts]),
            np.concatenate([part.batch_loss for part in parts]),
            np.concatenate([part.step_numbers for part in parts]),
            np.concatenate([part.sample_numbers for part in parts]),
        )

    def downsampled(self, stride: int, sample_stride: int) -> RetainedSteps:
        """Returns the first steps, every `stride`-th one and every `sample_stride`-th sample."""
        steps, samples = self.step_numbers, self.sample_numbers
        mask = (steps < _NUM_FIRST_STEPS) | (steps % stride == 0)
        mask |= (samples >= 0) & (samples % sample_stride == 0)
        block = select_steps(self.block, mask)
        return RetainedSteps(block, self.batch_loss[mask], steps[mask], samples[mask])


def _has_same_variables(a: ModelMetadata, b: ModelMetadata) -> bool:
    signatures = [[(v.path, v.shape) for v in metadata.variables] for metadata in (a, b)]
    return signatures[0] == signatures[1]


def _to_stored_precision(block: StepBlock) -> StepBlock:
    """Rounds to float32 like the event file, so that rules see the same numbers during `fit`."""

    def round_all(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        with np.errstate(over="ignore"):
            return {
                name: array.astype(np.float32) if array.dtype.kind == "f" else array
                for name, array in arrays.items()
            }

    values, layer_values = round_all(block.values), round_all(block.layer_values)
    return replace(block, values=values, layer_values=layer_values)
