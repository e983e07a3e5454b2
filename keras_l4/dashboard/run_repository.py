"""Reads recorded runs through TensorBoard's data provider."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np
from tensorboard import errors
from tensorboard.data.provider import RunTagFilter

from keras_l4.dashboard.parameters import quoted
from keras_l4.dashboard.run_index import RunIndex, read_error_message
from keras_l4.dashboard.versioned_cache import VersionedCache
from keras_l4.events import schema
from keras_l4.events.annotations import decode_annotation
from keras_l4.events.block_tensors import from_tensors
from keras_l4.events.run import Run
from keras_l4.events.schema import TagSchema
from keras_l4.events.segments import join_segments
from keras_l4.events.tags import AnnotationKind
from keras_l4.records.annotations import Annotation
from keras_l4.records.block import StepBlock
from keras_l4.records.selection import concatenate_blocks

_T = TypeVar("_T")
TensorDatum: TypeAlias = Any
"""TensorBoard's `TensorDatum`: step, wall time and array of one event."""

# `downsample` is a required argument. This is more events than any tag has, so that nothing is
# dropped in addition to what TensorBoard dropped when it loaded the file.
_NO_DOWNSAMPLING = 10**9


@dataclass(frozen=True)
class RunRepository:
    """The runs of one experiment, as seen by one request.

    Attributes:
        provider: TensorBoard's data provider.
        context: TensorBoard's context of the request.
        experiment_id: The experiment.
        cache: Results shared by all requests.
    """

    provider: Any
    context: Any
    experiment_id: str
    cache: VersionedCache[Any]

    def indexes(self, runs: Sequence[str] | None = None) -> dict[str, RunIndex]:
        """Returns the indexes by name of all runs with data of keras_l4, or of those in `runs`."""
        listed = self.provider.list_tensors(
            self.context,
            experiment_id=self.experiment_id,
            plugin_name=schema.PLUGIN_NAME,
            run_tag_filter=RunTagFilter(runs=runs),
        )
        return {
            name: RunIndex.from_time_series(name, tags) for name, tags in sorted(listed.items())
        }

    def index(self, run: str) -> RunIndex:
        """Returns the index of one run.

        Raises:
            errors.NotFoundError: There is no such run.
        """
        indexes = self.indexes([run])
        if run not in indexes:
            raise errors.NotFoundError(f"run={quoted(run)}: there is no such run.")
        return indexes[run]

    def read(
        self,
        index: RunIndex,
        quantities: Iterable[str],
        annotations: Collection[AnnotationKind] = (),
    ) -> Run:
        """Reads the given quantities and kinds of annotations of a run; cached.

        Raises:
            errors.InvalidArgumentError: The run cannot be read or has no steps.
        """
        schemas = index.schemas_for(quantities)
        kinds = {t: kind for t, kind in index.annotation_kinds.items() if kind in annotations}
        return self.cached(index, (*schemas, *kinds), lambda: self._read(index, schemas, kinds))

    def read_all(self, index: RunIndex) -> Run:
        """Reads everything that was recorded; not cached, since it may be large.

        Raises:
            errors.InvalidArgumentError: The run cannot be read or has no steps.
        """
        return self._read(index, index.schemas, index.annotation_kinds)

    def cached(self, index: RunIndex, key: Hashable, compute: Callable[[], _T]) -> _T:
        """Returns `compute()`, which is called once per `key` and version of the run."""
        full_key = (self.experiment_id, index.name, key)
        return cast(_T, self.cache.get(full_key, index.version, compute))

    def _read(
        self, index: RunIndex, schemas: Mapping[str, TagSchema], kinds: Mapping[str, AnnotationKind]
    ) -> Run:
        if index.problem:
            raise errors.InvalidArgumentError(index.problem)
        try:
            data = self._read_tensors(index.name, [*schemas, *kinds])
            segments = [_read_segment(group, data) for group in _by_segment(schemas)]
            blocks, num_superseded = join_segments(segments)
            annotations = tuple(_decode_annotations(kinds, data))
        except Exception as error:
            # Any program may have written to the log directory: a tensor of a wrong shape is an
            # error of the request and not of this plugin.
            raise errors.InvalidArgumentError(read_error_message(index.name, error)) from error
        if not blocks:
            raise errors.InvalidArgumentError(f"run={quoted(index.name)} has no steps yet.")
        return Run(tuple(blocks), num_superseded, annotations)

    def _read_tensors(self, run: str, tags: Sequence[str]) -> Mapping[str, Sequence[TensorDatum]]:
        tensors = self.provider.read_tensors(
            self.context,
            experiment_id=self.experiment_id,
            plugin_name=schema.PLUGIN_NAME,
            downsample=_NO_DOWNSAMPLING,
            run_tag_filter=RunTagFilter(runs=[run], tags=tags),
        )
        return tensors.get(run, {})


def num_missing_steps(run: Run) -> int:
    """Returns how many steps TensorBoard dropped; training records every step."""
    return sum(int(block.steps[-1] - block.steps[0]) + 1 - len(block) for block in run.blocks)


def _by_segment(schemas: Mapping[str, TagSchema]) -> list[dict[str, TagSchema]]:
    """Groups the schemas by segment, in the order of segments."""
    segments = sorted({tag_schema.segment for tag_schema in schemas.values()})
    return [{t: s for t, s in schemas.items() if s.segment == segment} for segment in segments]


def _read_segment(
    schemas: Mapping[str, TagSchema], data: Mapping[str, Sequence[TensorDatum]]
) -> Sequence[StepBlock]:
    """Returns one block with the steps of a segment, or an empty list if it has none.

    TensorBoard samples each tag on its own: events of which a tag is missing are left out.
    """
    # A count without an event is zero everywhere.
    required = {tag for tag, tag_schema in schemas.items() if tag_schema.pool != "count"}
    by_step: dict[int, dict[str, np.ndarray]] = {}
    for tag in schemas:
        for datum in data.get(tag, ()):
            by_step.setdefault(datum.step, {})[tag] = datum.numpy
    complete = [tensors for _, tensors in sorted(by_step.items()) if required <= tensors.keys()]
    return (
        [concatenate_blocks([from_tensors(schemas, tensors) for tensors in complete])]
        if complete
        else []
    )


def _decode_annotations(
    kinds: Mapping[str, AnnotationKind], data: Mapping[str, Sequence[TensorDatum]]
) -> Iterator[Annotation]:
    """Yields the annotations in the order in which they were written."""
    pairs = [(kind, datum) for tag, kind in kinds.items() for datum in data.get(tag, ())]
    for kind, datum in sorted(pairs, key=lambda pair: (pair[1].step, pair[1].wall_time)):
        yield decode_annotation(kind, datum.numpy.item())
