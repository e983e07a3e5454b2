"""Notes: what is known of a run beside its steps, as JSON, and back."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import types
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from tensorboard.compat.proto import summary_pb2

from keras_l4.events.schema import FORMAT_VERSION, PLUGIN_NAME, check_version
from keras_l4.events.tags import CURVATURE, NoteKind, curvature
from keras_l4.records.annotations import (
    AbortedStep,
    Annotation,
    CurvatureMeasurement,
    EpochLogs,
    ProbeResult,
    SurfaceSlice,
)
from keras_l4.records.metadata import ModelMetadata

_T = TypeVar("_T")
_PLAIN: dict[Any, tuple[type, ...]] = {float: (float, int), int: (int,), bool: (bool,), str: (str,)}
_CLASSES: dict[NoteKind, type[Annotation]] = {
    "facts": ModelMetadata,
    "response": ProbeResult,
    "epoch_logs": EpochLogs,
    "refusal": AbortedStep,
    "curvature": CurvatureMeasurement,
    "surface": SurfaceSlice,
}


def kind_of(note: Annotation) -> NoteKind:
    """The kind that is in the tag of `note`."""
    return next(kind for kind, cls in _CLASSES.items() if isinstance(note, cls))


def event_step(note: Annotation) -> int:
    """The step of the event that holds `note`: the last one before it."""
    return note.step - 1 if isinstance(note, ModelMetadata) else note.step


def scalars(note: Annotation) -> dict[str, float]:
    """Tag to number, of what the stock dashboards get of `note`; NaN is left out."""
    if not isinstance(note, CurvatureMeasurement):
        return {}
    numbers = {curvature(name): float(vars(note)[name]) for name in CURVATURE}
    return {tag: number for tag, number in numbers.items() if math.isfinite(number)}


def encode(note: Annotation) -> bytes:
    """`note` as JSON, with NaN and Infinity as Python spells them."""
    return json.dumps(dataclasses.asdict(note), separators=(",", ":")).encode()


def decode(kind: NoteKind, content: bytes) -> Annotation:
    """The inverse of `encode`.

    Raises:
        ValueError, TypeError, AttributeError: `content` is no note of this kind.
    """
    return _built(_CLASSES[kind], json.loads(content))


def metadata(kind: NoteKind) -> summary_pb2.SummaryMetadata:
    """Metadata of the tag of notes of this kind."""
    description = {"format_version": FORMAT_VERSION, "kind": kind, "encoding": "json"}
    metadata = summary_pb2.SummaryMetadata(data_class=summary_pb2.DATA_CLASS_TENSOR)
    metadata.plugin_data.plugin_name = PLUGIN_NAME
    metadata.plugin_data.content = json.dumps(description).encode()
    return metadata


def described_kind(content: bytes) -> NoteKind | None:
    """The kind of note that a tag's description promises; None if it is of the full record.

    Raises:
        ValueError: A newer version of keras_l4 wrote it.
    """
    fields = json.loads(content)
    check_version(fields["format_version"])
    return fields["kind"] if fields["kind"] in _CLASSES else None


# The facts of a model hold one of each class for each layer and variable.
_hints: Callable[[Any], dict[str, Any]] = functools.cache(get_type_hints)


def _built(cls: type[_T], fields: dict[str, Any]) -> _T:
    hints = _hints(cls)
    known = {name: _value(hints[name], value) for name, value in fields.items() if name in hints}
    return cls(**known)


def _value(hint: Any, value: Any) -> Any:
    if isinstance(hint, types.UnionType):
        if value is None:
            return None
        (hint,) = (option for option in get_args(hint) if option is not types.NoneType)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _built(hint, value)
    origin, inner = get_origin(hint), get_args(hint)
    if origin is tuple:
        return _rows(tuple(_value(inner[0], item) for item in value))
    if origin is Mapping:
        return {str(key): _value(inner[1], item) for key, item in value.items()}
    return _plain(hint, value)


def _plain(hint: Any, value: Any) -> Any:
    wanted = _PLAIN.get(hint, (str,))  # A Literal is of strings.
    if type(value) not in wanted:
        raise ValueError(f"{str(value)[:40]!r} is no {wanted[0].__name__}")
    return value


def _rows(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Raises a ValueError where they are rows of different length."""
    if len({len(value) for value in values if isinstance(value, tuple)}) > 1:
        raise ValueError("rows are of different length")
    return values
