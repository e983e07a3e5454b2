"""The segments of a run put together: what a resumed run superseded is dropped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from keras_l4.events.reader import contents
from keras_l4.records.annotations import Annotation
from keras_l4.records.block import Series, StepBlock
from keras_l4.records.metadata import ModelMetadata
from keras_l4.records.selection import select


def read(files: Iterable[Path]) -> tuple[list[StepBlock], int, tuple[Annotation, ...]]:
    """What `join` gives of these files, which are the segments of a run, and their notes."""
    segments = [list(contents(path)) for path in files]
    kept, num_superseded = join(
        [item for item in segment if isinstance(item, StepBlock)] for segment in segments
    )
    notes = (item for segment in segments for item in segment if not isinstance(item, StepBlock))
    return kept, num_superseded, tuple(notes)


def join(segments: Iterable[Sequence[StepBlock]]) -> tuple[list[StepBlock], int]:
    """Blocks whose steps strictly increase, and the number of steps that were dropped.

    A segment that does not go on where the rows before it end was resumed from an older
    checkpoint, or is a new run: it supersedes all rows with its first `iterations` or more.
    """
    kept: list[StepBlock] = []
    num_superseded = 0
    for segment in filter(None, segments):
        before = sum(map(len, kept))
        kept = _drop_superseded(kept, segment[0])
        num_superseded += before - sum(map(len, kept))
        kept += segment
    return kept, num_superseded


def _drop_superseded(blocks: list[StepBlock], new: StepBlock) -> list[StepBlock]:
    if not blocks or _continues(blocks[-1], new):
        return blocks
    first = new.iterations[0]
    kept = (
        select(block, (block.iterations < first) & (block.steps < new.steps[0])) for block in blocks
    )
    return [block for block in kept if len(block)]


def _continues(last: StepBlock, new: StepBlock) -> bool:
    """A skipped step leaves `iterations` as they are, so the next may have the same."""
    next_iteration = last.iterations[-1] + (not last.skipped[-1])
    return bool(next_iteration <= new.iterations[0] and last.steps[-1] < new.steps[0])


def interleave(
    blocks: Sequence[StepBlock], notes: Iterable[Annotation]
) -> Iterator[StepBlock | Annotation]:
    """Blocks and notes in the order in which they were written."""
    waiting = list(blocks)
    for note in notes:
        before = note.step - isinstance(note, ModelMetadata)
        while waiting and waiting[0].steps[-1] <= before:
            yield waiting.pop(0)
        yield note
    yield from waiting


def concatenate(parts: Sequence[Series], names: Iterable[str]) -> Series:
    """One series with those of `names` that any part has, NaN where a part does not."""
    known = set().union(*(part.names for part in parts))
    names = tuple(name for name in names if name in known)
    values = [_aligned(part, names) for part in parts]
    return Series(np.concatenate([part.steps for part in parts]), names, np.concatenate(values))


def _aligned(series: Series, names: tuple[str, ...]) -> np.ndarray:
    if series.names == names:
        return series.values
    column = {name: i for i, name in enumerate(names)}
    out = np.full((len(series.steps), len(names)), np.nan)
    out[:, [column[name] for name in series.names]] = series.values
    return out
