"""Source: recorded runs, as TensorBoard's data provider has them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np
from tensorboard import errors
from tensorboard.data.provider import RunTagFilter

from keras_l4.dashboard.listing import RunIndex, listing_of, problem_of
from keras_l4.dashboard.parameters import short
from keras_l4.dashboard.recent import VersionedCache
from keras_l4.events import notes, schema
from keras_l4.events.record import from_tensors
from keras_l4.events.run import Run
from keras_l4.events.schema import TagSchema
from keras_l4.events.segments import join
from keras_l4.events.tags import NoteKind
from keras_l4.records.annotations import Annotation
from keras_l4.records.block import StepBlock
from keras_l4.records.selection import chain

_T = TypeVar("_T")
# More than any run has: what TensorBoard itself has kept is not thinned out once more.
_ALL = 10**9


@dataclass(frozen=True)
class RunRepository:
    """The runs of one experiment, for one request.

    Attributes:
        provider: TensorBoard's data provider.
        context: Of the request.
        experiment: Its id.
        recent: What other requests have asked for.
    """

    provider: Any
    context: Any
    experiment: str
    recent: VersionedCache[Any]

    def listings(self, runs: Sequence[str] | None = None) -> dict[str, RunIndex]:
        """Name to listing, of all runs that have a record of ours, or of some of them."""
        found = self.provider.list_tensors(
            self.context,
            experiment_id=self.experiment,
            plugin_name=schema.PLUGIN_NAME,
            run_tag_filter=RunTagFilter(runs=runs),
        )
        return {name: listing_of(name, tags) for name, tags in sorted(found.items())}

    def listing(self, name: str) -> RunIndex:
        """One of `listings`.

        Raises:
            errors.NotFoundError: There is no such run.
        """
        found = self.listings([name])
        if name not in found:
            raise errors.NotFoundError(f"run={short(name)}: there is no such run.")
        return found[name]

    def run(
        self, listing: RunIndex, quantities: Iterable[str], notes: Collection[NoteKind] = ()
    ) -> Run:
        """A run with some of its quantities, and with its notes of some kinds.

        Raises:
            errors.InvalidArgumentError: Nothing of it can be read.
        """
        schemas = listing.tags_for(quantities)
        kinds = {tag: kind for tag, kind in listing.notes.items() if kind in notes}
        return self.once(listing, (*schemas, *kinds), lambda: self._read(listing, schemas, kinds))

    def whole(self, listing: RunIndex) -> Run:
        """A run with all that was recorded.

        Raises:
            errors.InvalidArgumentError: Nothing of it can be read.
        """
        return self._read(listing, listing.schemas, listing.notes)

    def once(self, listing: RunIndex, what: Hashable, make: Callable[[], _T]) -> _T:
        """What `make` gives, for this version of a run."""
        key = (self.experiment, listing.name, what)
        return cast(_T, self.recent.get(key, listing.version, make))

    def _read(
        self, listing: RunIndex, schemas: Mapping[str, TagSchema], kinds: Mapping[str, NoteKind]
    ) -> Run:
        if listing.problem:
            raise errors.InvalidArgumentError(listing.problem)
        try:
            data = self._tensors(listing.name, [*schemas, *kinds])
            kept, num_superseded = join([_segment(group, data) for group in _grouped(schemas)])
            told = tuple(_notes(kinds, data))
        except Exception as error:
            raise errors.InvalidArgumentError(problem_of(listing.name, error)) from error
        if not kept:
            raise errors.InvalidArgumentError(f"run={short(listing.name)} has no steps yet.")
        return Run(tuple(kept), num_superseded, told)

    def _tensors(self, name: str, tags: Sequence[str]) -> Mapping[str, Sequence[Any]]:
        read = self.provider.read_tensors(
            self.context,
            experiment_id=self.experiment,
            plugin_name=schema.PLUGIN_NAME,
            downsample=_ALL,
            run_tag_filter=RunTagFilter(runs=[name], tags=tags),
        )
        return read.get(name, {})


def num_missing(run: Run) -> int:
    """Steps that TensorBoard did not keep: a writer leaves none out."""
    return sum(int(block.steps[-1] - block.steps[0]) + 1 - len(block) for block in run.blocks)


def _grouped(schemas: Mapping[str, TagSchema]) -> list[dict[str, TagSchema]]:
    """The tags of each segment, in order of segments."""
    segments = sorted({described.segment for described in schemas.values()})
    return [{t: s for t, s in schemas.items() if s.segment == segment} for segment in segments]


def _segment(
    schemas: Mapping[str, TagSchema], data: Mapping[str, Sequence[Any]]
) -> Sequence[StepBlock]:
    """One block, or none."""
    needed = {tag for tag, described in schemas.items() if described.pool != "count"}
    by_step: dict[int, dict[str, np.ndarray]] = {}
    for tag in schemas:
        for datum in data.get(tag, ()):
            by_step.setdefault(datum.step, {})[tag] = datum.numpy
    whole = [tensors for _, tensors in sorted(by_step.items()) if needed <= tensors.keys()]
    return [chain([from_tensors(schemas, tensors) for tensors in whole])] if whole else []


def _notes(
    kinds: Mapping[str, NoteKind], data: Mapping[str, Sequence[Any]]
) -> Iterator[Annotation]:
    """In the order in which they were written."""
    told = [
        (d.step, d.wall_time, kind, d) for tag, kind in kinds.items() for d in data.get(tag, ())
    ]
    for _, _, kind, datum in sorted(told, key=lambda item: item[:2]):
        yield notes.decode(kind, datum.numpy.item())
