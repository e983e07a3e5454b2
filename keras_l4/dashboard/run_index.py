"""Index of a run: what TensorBoard lists about it, before any tensor is read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias, get_args

from keras_l4.dashboard.parameters import quoted
from keras_l4.events import schema
from keras_l4.events.annotations import decode_kind
from keras_l4.events.schema import TagSchema
from keras_l4.events.tags import AnnotationKind, TensorKind
from keras_l4.records.pooling import REQUIRED_QUANTITIES

TimeSeries: TypeAlias = Any
"""TensorBoard's `TensorTimeSeries`: plugin content, last step and last wall time of one tag."""

# Cached, since the content of every tag repeats the names of all variables.
_decode_schema = lru_cache(maxsize=1024)(schema.decode)


@dataclass(frozen=True)
class RunIndex:
    """The tags of a run.

    Attributes:
        name: Name of the run.
        version: Changes whenever something is appended to the run. The last entry is the wall
            time of the last event, in seconds since 1970.
        schemas: Tag to schema, for the tensors of the full record.
        annotation_kinds: Tag to kind of annotation.
        problem: Why the run cannot be read; empty if it can.
    """

    name: str
    version: tuple[float, ...]
    schemas: Mapping[str, TagSchema]
    annotation_kinds: Mapping[str, AnnotationKind]
    problem: str = ""

    @classmethod
    def from_time_series(cls, name: str, tags: Mapping[str, TimeSeries]) -> RunIndex:
        """Returns the index of a run; `tags` is what TensorBoard lists for it."""
        schemas: dict[str, TagSchema] = {}
        annotation_kinds: dict[str, AnnotationKind] = {}
        problem = ""
        try:
            for tag, series in tags.items():
                content = series.plugin_content
                if kind := decode_kind(content):
                    annotation_kinds[tag] = kind
                # Skips the kinds that later versions of keras_l4 may add.
                elif json.loads(content)["kind"] in get_args(TensorKind):
                    schemas[tag] = _decode_schema(content)
        except Exception as error:
            problem = read_error_message(name, error)
        last_written = max((series.max_step, series.max_wall_time) for series in tags.values())
        version = (float(len(tags)), *map(float, last_written))
        return cls(name, version, schemas, annotation_kinds, problem)

    @property
    def quantities(self) -> dict[str, TagSchema]:
        """The schema of each recorded quantity, by name."""
        return {s.quantity: s for s in self.schemas.values() if s.kind == "variable"}

    def schemas_for(self, quantities: Iterable[str]) -> dict[str, TagSchema]:
        """Returns the schemas of the tags needed to pool these quantities into layers."""
        needed = set(quantities)
        for quantity, tag_schema in self.quantities.items():
            if quantity in needed:
                needed.update(REQUIRED_QUANTITIES.get(tag_schema.pool, ()))
        return {t: s for t, s in self.schemas.items() if not s.quantity or s.quantity in needed}


def read_error_message(run: str, error: Exception) -> str:
    """Returns one line that says why `run` cannot be read.

    Any program may have written to the log directory, so the text of `error` may hold line breaks.
    """
    reason = " ".join(str(error).split())
    return f"run={quoted(run)} cannot be read. {type(error).__name__}: {reason}"
