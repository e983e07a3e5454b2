"""Encodes annotations as JSON for event files, and decodes them."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import numpy as np
from tensorboard.compat.proto import summary_pb2

from keras_l4.events import tags
from keras_l4.events.schema import FORMAT_VERSION, check_version, plugin_metadata
from keras_l4.events.tags import AnnotationKind
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

_CLASSES: dict[AnnotationKind, type[Annotation]] = {
    "metadata": ModelMetadata,
    "probe": ProbeResult,
    "epoch_logs": EpochLogs,
    "aborted_step": AbortedStep,
    "curvature": CurvatureMeasurement,
    "surface": SurfaceSlice,
}
# JSON does not tell 1.0 from 1.
_JSON_TYPES: dict[Any, tuple[type, ...]] = {
    float: (float, int),
    int: (int,),
    bool: (bool,),
    str: (str,),
}


def kind_of(annotation: Annotation) -> AnnotationKind:
    """Returns the kind of `annotation`, which is part of its tag."""
    return next(kind for kind, cls in _CLASSES.items() if isinstance(annotation, cls))


def event_step(annotation: Annotation) -> int:
    """Returns the step of the event that stores `annotation`: the last step before it."""
    return annotation.step - 1 if isinstance(annotation, ModelMetadata) else annotation.step


def scalars_of(annotation: Annotation) -> dict[str, float]:
    """Returns tag to value of the scalars for TensorBoard's Scalars tab, without NaN."""
    if not isinstance(annotation, CurvatureMeasurement):
        return {}
    scalars = {tags.curvature(n): float(getattr(annotation, n)) for n in tags.CURVATURE}
    return {tag: value for tag, value in scalars.items() if math.isfinite(value)}


def encode_annotation(annotation: Annotation) -> bytes:
    """Encodes `annotation` as JSON, with NaN and Infinity as Python spells them."""
    return json.dumps(dataclasses.asdict(annotation), separators=(",", ":")).encode()


def decode_annotation(kind: AnnotationKind, content: bytes) -> Annotation:
    """Decodes what `encode_annotation` returned. Unknown fields are ignored.

    Raises:
        ValueError, TypeError, AttributeError: `content` does not encode an annotation of `kind`.
    """
    return _decode_dataclass(_CLASSES[kind], json.loads(content))


def metadata_of(kind: AnnotationKind) -> summary_pb2.SummaryMetadata:
    """Returns the metadata of a tag of annotations."""
    fields = {"format_version": FORMAT_VERSION, "kind": kind, "encoding": "json"}
    return plugin_metadata(json.dumps(fields).encode())


def decode_kind(content: bytes) -> AnnotationKind | None:
    """Returns the kind of annotations of a tag, given its plugin data; None for tensors of blocks.

    Raises:
        ValueError: A newer version of keras_l4 wrote the file.
    """
    fields = json.loads(content)
    check_version(fields["format_version"])
    return fields["kind"] if fields["kind"] in _CLASSES else None


def save_surface(folder: Path, surface: SurfaceSlice) -> Path:
    """Writes `surface-<step>.npz` with one array per field of `surface`, and returns its path.

    `np.load` reads it without `allow_pickle`.

    Raises:
        OSError: The file cannot be written.
    """
    path = folder / f"surface-{surface.step}.npz"
    arrays = {name: np.array(value) for name, value in dataclasses.asdict(surface).items()}
    np.savez(path, allow_pickle=False, **arrays)
    return path


# Cached, since `ModelMetadata` has a dataclass per layer and variable.
_field_types: Callable[[Any], dict[str, Any]] = functools.cache(get_type_hints)


def _decode_dataclass(cls: type[_T], fields: dict[str, Any]) -> _T:
    field_types = _field_types(cls)
    values = {n: _decode_value(field_types[n], v) for n, v in fields.items() if n in field_types}
    return cls(**values)


def _decode_value(field_type: Any, value: Any) -> Any:
    if isinstance(field_type, types.UnionType):
        if value is None:
            return None
        (field_type,) = (t for t in get_args(field_type) if t is not types.NoneType)
    if dataclasses.is_dataclass(field_type) and isinstance(field_type, type):
        return _decode_dataclass(field_type, value)
    origin, arguments = get_origin(field_type), get_args(field_type)
    if origin is tuple:
        return _check_rows(tuple(_decode_value(arguments[0], item) for item in value))
    if origin is Mapping:
        return {str(key): _decode_value(arguments[1], item) for key, item in value.items()}
    return _check_plain(field_type, value)


def _check_plain(field_type: Any, value: Any) -> Any:
    expected = _JSON_TYPES.get(field_type, (str,))  # The values of a Literal are strings.
    if type(value) not in expected:
        raise ValueError(f"{str(value)[:40]!r} is not of type {expected[0].__name__}")
    return value


def _check_rows(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Raises a ValueError if the values are rows of different lengths."""
    if len({len(value) for value in values if isinstance(value, tuple)}) > 1:
        raise ValueError("rows have different lengths")
    return values
