"""Joins the segments of a run, and drops the steps that a resumed run superseded.

Each event file is one segment: the steps that one writer wrote.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from keras_l4.events.reader import read_file
from keras_l4.records.annotations import Annotation
from keras_l4.records.block import Series, StepBlock
from keras_l4.records.metadata import ModelMetadata
from keras_l4.records.selection import select_steps


def read_segments(
    files: Iterable[Path],
) -> tuple[list[StepBlock], int, tuple[Annotation, ...]]:
    """Reads the event files of a run.

    Returns:
        Blocks and number of dropped steps, as from `join_segments`, and all annotations.
    """
    segments = [list(read_file(path)) for path in files]
    blocks, num_superseded = join_segments(
        [item for item in segment if isinstance(item, StepBlock)] for segment in segments
    )
    annotations = (
        item for segment in segments for item in segment if not isinstance(item, StepBlock)
    )
    return blocks, num_superseded, tuple(annotations)


def join_segments(segments: Iterable[Sequence[StepBlock]]) -> tuple[list[StepBlock], int]:
    """Joins the segments to blocks with strictly increasing steps.

    A segment that does not continue the one before it was resumed from an older checkpoint, or is
    a new run. It supersedes all steps whose `iterations` are not below its first ones.

    Returns:
        The blocks, and the number of superseded steps, which are dropped.
    """
    blocks: list[StepBlock] = []
    num_superseded = 0
    for segment in filter(None, segments):
        num_steps = sum(map(len, blocks))
        blocks = _not_superseded(blocks, segment[0])
        num_superseded += num_steps - sum(map(len, blocks))
        blocks += segment
    return blocks, num_superseded


def interleave(
    blocks: Sequence[StepBlock], annotations: Iterable[Annotation]
) -> Iterator[StepBlock | Annotation]:
    """Yields blocks and annotations in the order in which they were written."""
    pending = list(blocks)
    for annotation in annotations:
        last_step = annotation.step - isinstance(annotation, ModelMetadata)
        while pending and pending[0].steps[-1] <= last_step:
            yield pending.pop(0)
        yield annotation
    yield from pending


def concatenate_series(parts: Sequence[Series], names: Iterable[str]) -> Series:
    """Concatenates `parts` in time.

    Returns:
        A series with those of `names` that any part has, NaN at the steps of parts that lack them.
    """
    recorded = set().union(*(part.names for part in parts))
    names = tuple(name for name in names if name in recorded)
    values = [_values_of(part, names) for part in parts]
    return Series(np.concatenate([part.steps for part in parts]), names, np.concatenate(values))


def _not_superseded(blocks: list[StepBlock], new: StepBlock) -> list[StepBlock]:
    """Returns the steps of `blocks` that `new`, the first block of a segment, leaves valid."""
    if not blocks or _continues(blocks[-1], new):
        return blocks
    first_iteration, first_step = new.iterations[0], new.steps[0]
    remaining = (
        select_steps(block, (block.iterations < first_iteration) & (block.steps < first_step))
        for block in blocks
    )
    return [block for block in remaining if len(block)]


def _continues(last: StepBlock, new: StepBlock) -> bool:
    # A skipped step does not increment `iterations`.
    next_iteration = last.iterations[-1] + (not last.skipped[-1])
    return bool(next_iteration <= new.iterations[0] and last.steps[-1] < new.steps[0])


def _values_of(series: Series, names: tuple[str, ...]) -> np.ndarray:
    if series.names == names:
        return series.values
    columns = {name: i for i, name in enumerate(names)}
    out = np.full((len(series.steps), len(names)), np.nan)
    out[:, [columns[name] for name in series.names]] = series.values
    return out
