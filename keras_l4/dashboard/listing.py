"""Listing: what is known of a run before a tensor of it is read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, get_args

from keras_l4.dashboard.parameters import short
from keras_l4.events import notes, schema
from keras_l4.events.schema import TagSchema
from keras_l4.events.tags import Kind, NoteKind
from keras_l4.records.pooling import READS

# Every tag of a run repeats the names of its variables.
_described = lru_cache(maxsize=1024)(schema.decode)


@dataclass(frozen=True)
class RunIndex:
    """What is known of a run without reading its tensors.

    Attributes:
        name: Of the run.
        version: Another one after something was appended.
        schemas: Tag to schema, of the full record.
        notes: Tag to kind.
        problem: Why it cannot be read; empty where it can.
    """

    name: str
    version: tuple[float, ...]
    schemas: Mapping[str, TagSchema]
    notes: Mapping[str, NoteKind]
    problem: str = ""

    @property
    def quantities(self) -> dict[str, TagSchema]:
        """What was recorded, by name."""
        return {s.quantity: s for s in self.schemas.values() if s.kind == "full"}

    def tags_for(self, quantities: Iterable[str]) -> dict[str, TagSchema]:
        """The tags from which these quantities can be pooled."""
        wanted = set(quantities)
        for quantity, described in self.quantities.items():
            if quantity in wanted:
                wanted.update(READS.get(described.pool, ()))
        return {t: s for t, s in self.schemas.items() if not s.quantity or s.quantity in wanted}


def listing_of(name: str, tags: Mapping[str, Any]) -> RunIndex:
    """What TensorBoard lists of a run."""
    schemas: dict[str, TagSchema] = {}
    kinds: dict[str, NoteKind] = {}
    problem = ""
    try:
        for tag, series in tags.items():
            content = series.plugin_content
            if kind := notes.described_kind(content):
                kinds[tag] = kind
            elif json.loads(content)["kind"] in get_args(Kind):
                schemas[tag] = _described(content)
    except Exception as error:
        problem = problem_of(name, error)
    ends = [(series.max_step, series.max_wall_time) for series in tags.values()]
    return RunIndex(name, (float(len(tags)), *map(float, max(ends))), schemas, kinds, problem)


def problem_of(name: str, error: Exception) -> str:
    """One line. Whoever wrote to the log directory decides what is in a tag."""
    told = " ".join(str(error).split())
    return f"run={short(name)} cannot be read. {type(error).__name__}: {told}"
