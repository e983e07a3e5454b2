"""BlockWriter: writes blocks and annotations to a TensorBoard event file."""

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

from keras_l4.events import schema, tags
from keras_l4.events.annotations import (
    encode_annotation,
    event_step,
    kind_of,
    metadata_of,
    scalars_of,
)
from keras_l4.events.block_tensors import is_redundant, tag_of, to_tensors
from keras_l4.events.event_file import EventFile
from keras_l4.events.scalars import ScalarSampler
from keras_l4.events.summary_values import Value, histogram_value, image_values, scalar_values
from keras_l4.events.surface_image import images_of
from keras_l4.records.annotations import Annotation
from keras_l4.records.block import By, StepBlock, Variable


class BlockWriter:
    """Writes the blocks and annotations of one `fit` to one new event file.

    Each block becomes one event with one tensor per quantity, which `keras_l4.load` reads back
    without loss. In addition, a few scalars per layer are written about every `update_freq` steps,
    for TensorBoard's own tabs.

    Args:
        run_dir: Folder of the run, e.g. `"logs/diagnostics"`. No other writer may use it.
        update_freq: Number of steps between two scalars of the same tag.
        by: Scalars per `"layer"` or per `"variable"`.
        units: Quantity name to unit, for the descriptions in the file.

    Raises:
        ValueError: An argument is invalid.
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
        self._scalars = ScalarSampler(update_freq, by)
        self._units = units
        self._described_tags: set[str] = set()
        """Tags whose metadata is in the file."""
        self._segment = 0
        """First step of the file; 0 before the first block or annotation."""
        self._last_step = 0
        self._variables: tuple[Variable, ...] = ()
        self._file = EventFile(Path(run_dir))

    def write(self, block: StepBlock) -> None:
        """Appends `block` and hands it to the operating system.

        Raises:
            ValueError: `block` does not continue the previous blocks.
            OSError: The block cannot be written. The file stays readable, and further blocks may
                be written.
        """
        if not len(block):
            return
        self._check_continuation(block)
        self._variables = block.variables
        self._segment = self._segment or int(block.steps[0])
        values: dict[int, list[Value]] = defaultdict(list)
        for step, scalars in self._scalars.sample(block).items():
            values[step] += scalar_values(scalars)
        values[int(block.steps[-1])] += self._block_values(block)
        self._append(values)

    def write_histograms(self, step: int, histograms: Mapping[str, np.ndarray]) -> None:
        """Appends histograms for TensorBoard's Histograms and Distributions tabs.

        Args:
            step: Step of the histograms. Blocks up to this step must be written first.
            histograms: Tag to values `[n]`. All values must be finite, because TensorBoard shows
                nothing of a histogram with a NaN.

        Raises:
            ValueError: A later step has been written, or a value is not finite.
            OSError: The histograms cannot be written.
        """
        if step < self._last_step:
            raise ValueError(
                f"step={step}: steps up to {self._last_step} are written already, and TensorBoard "
                "drops events whose step decreases. Write histograms before later blocks."
            )
        self._append({step: [histogram_value(tag, v) for tag, v in histograms.items()]})

    def write_annotation(self, annotation: Annotation) -> None:
        """Appends an annotation. Blocks up to its step must be written first.

        Raises:
            OSError: The annotation cannot be written.
        """
        step, kind = event_step(annotation), kind_of(annotation)
        self._segment = self._segment or step + 1
        json_value = Value(
            tag=tags.annotation(kind, self._segment),
            metadata=metadata_of(kind),
            tensor=make_tensor_proto(encode_annotation(annotation)),
        )
        scalars, images = scalars_of(annotation), images_of(annotation)
        values = [json_value, *scalar_values(scalars), *image_values(images)]
        self._append({max(step, self._last_step): values})

    def write_findings(self, markdown: str) -> None:
        """Appends the current findings, for TensorBoard's Text tab.

        Raises:
            OSError: The findings cannot be written.
        """
        (value,) = text_pb(tags.FINDINGS, markdown).value
        value.metadata.data_class = summary_pb2.DATA_CLASS_TENSOR
        self._append({self._last_step: [value]})

    def close(self) -> None:
        """Writes the counts of NaN and Inf that no scalar includes yet, and closes the file."""
        counts = self._scalars.pop_unwritten_counts()
        try:
            if counts:
                self._append({self._last_step: scalar_values(counts)})
        finally:
            self._file.close()

    def _check_continuation(self, block: StepBlock) -> None:
        first = int(block.steps[0])
        if first <= self._last_step:
            raise ValueError(
                f"block begins at step {first}, but steps up to {self._last_step} are written "
                "already. Steps must increase within a run folder: begin at last_step() + 1."
            )
        if self._variables and block.variables != self._variables:
            raise ValueError(
                f"block has {len(block.variables)} variables that differ from the "
                f"{len(self._variables)} of the previous blocks. Use a new BlockWriter for it."
            )

    def _block_values(self, block: StepBlock) -> Iterator[Value]:
        for tag_schema, tensor in to_tensors(block, self._segment, self._units):
            tag = tag_of(tag_schema)
            is_new = tag not in self._described_tags
            # The first block has all counts, even zeros: their schema tells readers that later
            # blocks without a tensor counted zero.
            if is_new or not is_redundant(tag_schema, tensor):
                content = schema.encode(tag_schema) if is_new else None
                metadata = schema.plugin_metadata(content) if content else None
                yield Value(tag=tag, metadata=metadata, tensor=make_tensor_proto(tensor))

    def _append(self, values: Mapping[int, list[Value]]) -> None:
        """Appends one event per step, with metadata in the first event of each tag only."""
        events = []
        described = set(self._described_tags)
        for step in sorted(values):
            for value in values[step]:
                if value.tag in described:
                    value.ClearField("metadata")
                described.add(value.tag)
            summary = summary_pb2.Summary(value=values[step])
            events.append(event_pb2.Event(wall_time=time.time(), step=step, summary=summary))
        self._file.append(events)
        # Not before the write succeeded: else a retry would lack the metadata.
        self._described_tags = described
        self._last_step = max(values)
