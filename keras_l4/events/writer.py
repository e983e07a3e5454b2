"""BlockWriter: StepBlocks go in, a TensorBoard event file comes out."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.util.tensor_util import make_tensor_proto

from keras_l4.events import notes, tags
from keras_l4.events.eventfile import EventFile
from keras_l4.events.pictures import pictures
from keras_l4.events.record import is_implied, tag_of, to_tensors
from keras_l4.events.scalars import Scalars
from keras_l4.events.schema import record_metadata
from keras_l4.events.values import Value, histogram_value, image_values, scalar_values
from keras_l4.records.annotations import Annotation
from keras_l4.records.block import By, StepBlock, Variable


class BlockWriter:
    """Writes what one run of `fit` recorded into one new event file.

    Each block becomes one event with one tensor per quantity, which `keras_l4.load` reads
    back without loss; and about every `update_freq` steps a few scalars per layer, for
    TensorBoard's own dashboards.

    Args:
        run_dir: Folder of the run, e.g. `"logs/diagnostics"`. No other writer may use it.
        update_freq: Steps between two scalars of the same tag.
        by: Scalars per `"layer"` or per `"variable"`.
        units: Quantity name to its unit, for the description in the file.

    Raises:
        ValueError: An argument is not one of the above.
        OSError: The folder or the file cannot be written.
    """

    def __init__(
        self,
        run_dir: str | os.PathLike[str],
        *,
        update_freq: int = 50,
        by: By = "layer",
        units: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        if not isinstance(update_freq, int) or update_freq < 1:
            raise ValueError(f"update_freq={update_freq!r}: expected an integer of at least 1.")
        if by not in ("layer", "variable"):
            raise ValueError(f'by={by!r}: expected "layer" or "variable".')
        self._scalars = Scalars(update_freq, by)
        self._units = units
        self._described: set[str] = set()
        self._segment = 0
        self._last_step = 0
        self._variables: tuple[Variable, ...] = ()
        self._file = EventFile(Path(run_dir))

    def write(self, block: StepBlock) -> None:
        """Appends `block` and hands it to the operating system.

        Raises:
            ValueError: `block` does not continue the blocks before it.
            OSError: It could not be written. The file stays readable and the next block may
                be written.
        """
        if not len(block):
            return
        self._check(block)
        self._variables = block.variables
        self._segment = self._segment or int(block.steps[0])
        values: dict[int, list[Value]] = defaultdict(list)
        for step, scalars in self._scalars.pick(block).items():
            values[step] += scalar_values(scalars)
        values[int(block.steps[-1])] += self._record(block)
        self._append(values)

    def write_histograms(self, step: int, histograms: Mapping[str, np.ndarray]) -> None:
        """Appends one histogram per tag, for the stock Histograms and Distributions tabs.

        Args:
            step: The step they belong to; the blocks up to it have to be written first.
            histograms: Tag to values `[n]`, all of them finite: one NaN spoils the whole plot.

        Raises:
            ValueError: `step` was passed already, or a value is not finite.
            OSError: They could not be written.
        """
        if step < self._last_step:
            raise ValueError(
                f"step={step}: steps up to {self._last_step} are written already, and "
                "TensorBoard loses events whose step goes back."
            )
        self._append({step: [histogram_value(tag, v) for tag, v in histograms.items()]})

    def write_note(self, note: Annotation) -> None:
        """Appends a note; the blocks up to its step have to be written first.

        Raises:
            OSError: It could not be written.
        """
        step = notes.event_step(note)
        self._segment = self._segment or step + 1
        kind = notes.kind_of(note)
        tensor = make_tensor_proto(notes.encode(note))
        value = Value(
            tag=tags.note(kind, self._segment), metadata=notes.metadata(kind), tensor=tensor
        )
        values = [value, *scalar_values(notes.scalars(note)), *image_values(pictures(note))]
        self._append({max(step, self._last_step): values})

    def write_findings(self, markdown: str) -> None:
        """Appends the findings by now, for TensorBoard's Text tab.

        Raises:
            OSError: They could not be written.
        """
        (value,) = text_pb(tags.FINDINGS, markdown).value
        value.metadata.data_class = summary_pb2.DATA_CLASS_TENSOR
        self._append({self._last_step: [value]})

    def close(self) -> None:
        """Writes the non-finite gradients that no scalar has told yet, and closes the file."""
        rest = self._scalars.take_rest()
        try:
            if rest:
                self._append({self._last_step: scalar_values(rest)})
        finally:
            self._file.close()

    def _check(self, block: StepBlock) -> None:
        first = int(block.steps[0])
        if first <= self._last_step:
            raise ValueError(
                f"block begins at step {first}, but steps up to {self._last_step} are written "
                "already. Steps must increase within a run folder; begin at last_step() + 1."
            )
        if self._variables and block.variables != self._variables:
            raise ValueError(
                f"block has {len(block.variables)} variables that differ from the "
                f"{len(self._variables)} of the blocks before. Use a new BlockWriter for it."
            )

    def _record(self, block: StepBlock) -> Iterator[Value]:
        for schema, tensor in to_tensors(block, self._segment, self._units):
            tag = tag_of(schema)
            new = tag not in self._described
            # The first block has all counts, so that a reader knows that they were taken.
            if new or not is_implied(schema, tensor):
                metadata = record_metadata(schema) if new else None
                yield Value(tag=tag, metadata=metadata, tensor=make_tensor_proto(tensor))

    def _append(self, values: Mapping[int, list[Value]]) -> None:
        """One event per step. Metadata counts only in the first event of a tag."""
        events = []
        described = set(self._described)
        for step in sorted(values):
            for value in values[step]:
                if value.tag in described:
                    value.ClearField("metadata")
                described.add(value.tag)
            summary = summary_pb2.Summary(value=values[step])
            events.append(event_pb2.Event(wall_time=time.time(), step=step, summary=summary))
        self._file.append(events)
        self._described = described
        self._last_step = max(values)
