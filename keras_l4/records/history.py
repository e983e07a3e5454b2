"""History: a run in bounded memory, the same however it was cut into blocks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from keras_l4.records.annotations import (
    AbortedStep,
    Annotation,
    CurvatureMeasurement,
    EpochLogs,
    ProbeResult,
)
from keras_l4.records.block import StepBlock
from keras_l4.records.metadata import ModelMetadata
from keras_l4.records.nonfinite import NonFinite, nonfinite_events
from keras_l4.records.selection import chain, select

_MOST_EVENTS = 256


@dataclass(frozen=True)
class Record:
    """What rules read.

    Attributes:
        block: Steps from all over the run: each of the first, then at equal distances.
        batch_loss: `float64[steps]`: the loss of the batches since the step before it that was
            seen, NaN where none was. Keras shows means over the epoch.
        num_steps: Number of steps of the run.
        events: The first non-finite gradients, of steps that were not skipped.
        facts: Facts about the model, if they are known.
        responses: Answers to the fixed batch, in order.
        epochs: What Keras showed, in order.
        curvatures: Measurements of the curvature, in order.
        refusals: Steps that the framework did not finish, in order.
    """

    block: StepBlock
    batch_loss: np.ndarray
    num_steps: int
    events: tuple[NonFinite, ...] = ()
    facts: ModelMetadata | None = None
    responses: tuple[ProbeResult, ...] = ()
    epochs: tuple[EpochLogs, ...] = ()
    curvatures: tuple[CurvatureMeasurement, ...] = ()
    refusals: tuple[AbortedStep, ...] = ()


@dataclass
class History:
    """Takes blocks and notes, and gives a record of all that it took.

    Memory is bounded: where there are more rows than fit, every second one is dropped.
    """

    facts: ModelMetadata | None = None
    _kept: list[RetainedSteps] = field(default_factory=list)
    _events: list[NonFinite] = field(default_factory=list)
    _responses: list[ProbeResult] = field(default_factory=list)
    _epochs: list[EpochLogs] = field(default_factory=list)
    _curvatures: list[CurvatureMeasurement] = field(default_factory=list)
    _refusals: list[AbortedStep] = field(default_factory=list)
    _num_rows: int = 0
    _num_looks: int = 0
    _stride: int = 1
    _look_stride: int = 1
    _seen: tuple[int, int, float] = (-1, -1, float("nan"))

    def add(self, item: StepBlock | Annotation) -> None:
        """Takes the next block or note."""
        if isinstance(item, StepBlock):
            self._add_block(item)
        elif isinstance(item, ModelMetadata):
            self._meet(item)
        elif isinstance(item, ProbeResult):
            self._responses.append(item)
        elif isinstance(item, CurvatureMeasurement):
            self._curvatures.append(item)
        elif isinstance(item, EpochLogs):
            self._epochs.append(item)
        elif isinstance(item, AbortedStep):
            self._refusals.append(item)

    def _meet(self, facts: ModelMetadata) -> None:
        """A `fit` that goes on with the same weights is part of the same run."""
        if self.facts is None or facts.iterations == 0 or not _alike(self.facts, facts):
            self._begin_anew(facts)
        else:
            self.facts = replace(self.facts, rules=facts.rules)

    def record(self) -> Record | None:
        """All that was taken; None before the first block."""
        if not self._kept:
            return None
        whole = RetainedSteps(
            chain([kept.block for kept in self._kept]),
            np.concatenate([kept.batch_loss for kept in self._kept]),
            np.concatenate([kept.row for kept in self._kept]),
            np.concatenate([kept.look for kept in self._kept]),
        )
        self._kept = [whole]
        return Record(
            block=whole.block,
            batch_loss=whole.batch_loss,
            num_steps=self._num_rows,
            events=tuple(self._events),
            facts=self.facts,
            responses=tuple(self._responses),
            epochs=tuple(self._epochs),
            curvatures=tuple(self._curvatures),
            refusals=tuple(self._refusals),
        )

    def _add_block(self, block: StepBlock) -> None:
        if self._kept and self._kept[-1].block.variables != block.variables:
            self._begin_anew(self.facts)
        # A step that loss scaling skipped did no harm.
        events = [event for event in nonfinite_events(block) if not event.skipped]
        self._events += events[: _MOST_EVENTS - len(self._events)]
        look = np.full(len(block), -1)
        rows = np.flatnonzero(block.sampled)
        look[rows] = self._num_looks + np.arange(len(rows))
        row = self._num_rows + np.arange(len(block))
        kept = RetainedSteps(block, self._batch_loss(block), row, look)
        self._num_rows += len(block)
        self._num_looks += len(rows)
        self._make_room(len(block.variables))
        thinned = kept.thinned(self._stride, self._look_stride)
        self._kept.append(replace(thinned, block=_as_written(thinned.block)))

    def _begin_anew(self, facts: ModelMetadata | None) -> None:
        vars(self).update(vars(History(facts)))

    def _make_room(self, num_variables: int) -> None:
        most_rows = int(np.clip(2**20 // max(1, num_variables), 256, 4096))
        before = self._stride, self._look_stride
        while self._num_rows // self._stride > most_rows:
            self._stride *= 2
        while self._num_looks // self._look_stride > most_rows // 4:
            self._look_stride *= 2
        if before != (self._stride, self._look_stride):
            self._kept = [kept.thinned(self._stride, self._look_stride) for kept in self._kept]

    def _batch_loss(self, block: StepBlock) -> np.ndarray:
        out = np.full(len(block), np.nan)
        for row in np.flatnonzero(~np.isnan(block.loss)).tolist():
            out[row] = self._since(*_place(block, row))
        return out

    def _since(self, epoch: int, batch: int, mean: float) -> float:
        """Mean loss of the batches since the last one that was seen."""
        last_epoch, last_batch, last_mean = self._seen
        self._seen = epoch, batch, mean
        if epoch != last_epoch or batch <= last_batch:
            return mean
        return ((batch + 1) * mean - (last_batch + 1) * last_mean) / (batch - last_batch)


def _alike(one: ModelMetadata, other: ModelMetadata) -> bool:
    pairs = ([(v.path, v.shape) for v in facts.variables] for facts in (one, other))
    return next(pairs) == next(pairs)


def _place(block: StepBlock, row: int) -> tuple[int, int, float]:
    return int(block.epochs[row]), int(block.batches[row]), float(block.loss[row])


def _as_written(block: StepBlock) -> StepBlock:
    """As the event file has it, so that rules see the same numbers now and later."""

    def narrow(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        with np.errstate(over="ignore"):
            return {
                name: array.astype(np.float32) if array.dtype.kind == "f" else array
                for name, array in arrays.items()
            }

    values, layer_values = narrow(block.values), narrow(block.layer_values)
    return replace(block, values=values, layer_values=layer_values)


def record_of(items: Iterable[StepBlock | Annotation]) -> Record:
    """The record of a whole run, which has at least one block.

    Raises:
        ValueError: It has none.
    """
    history = History()
    for item in items:
        history.add(item)
    record = history.record()
    if record is None:
        raise ValueError("record_of was given no block: nothing was recorded, or not flushed yet.")
    return record


FIRST_STEPS = 256


@dataclass
class RetainedSteps:
    """Part of a block that is kept, with the numbers of its rows."""

    block: StepBlock
    batch_loss: np.ndarray
    row: np.ndarray
    look: np.ndarray

    def thinned(self, stride: int, look_stride: int) -> RetainedSteps:
        """Without the rows, but for the first, and the looks that these strides pass over."""
        keep = (self.row < FIRST_STEPS) | (self.row % stride == 0)
        keep |= (self.look >= 0) & (self.look % look_stride == 0)
        cut = select(self.block, keep)
        return RetainedSteps(cut, self.batch_loss[keep], self.row[keep], self.look[keep])
