"""Reads event files of keras_l4 up to the first incomplete record."""

from __future__ import annotations

import os
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tensorboard.compat.proto import event_pb2
from tensorboard.compat.tensorflow_stub.errors import DataLossError, OutOfRangeError
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import PyRecordReader_New, masked_crc32c
from tensorboard.util.tensor_util import make_ndarray

from keras_l4.events import schema
from keras_l4.events.annotations import decode_annotation, decode_kind
from keras_l4.events.block_tensors import from_tensors
from keras_l4.events.event_file import FILE_PATTERN, WRITER_NAME
from keras_l4.events.tags import AnnotationKind
from keras_l4.records.annotations import Annotation
from keras_l4.records.block import StepBlock

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")


def event_files(run_dir: str | os.PathLike[str]) -> list[Path]:
    """Lists the event files that keras_l4 wrote to a folder, oldest first."""
    paths = sorted(Path(run_dir).glob(FILE_PATTERN))
    return [path for path in paths if _is_from_keras_l4(path)]


def read_events(path: Path) -> Iterator[event_pb2.Event]:
    """Yields the events of one file, up to its end or the first incomplete or damaged record.

    A file that ends within a record is normal: its writer was killed, or is still writing. Damage
    before the end causes a `RuntimeWarning`.
    """
    reader = PyRecordReader_New(os.fspath(path))
    while True:
        try:
            reader.GetNext()
        except OutOfRangeError:
            return
        except DataLossError as error:
            if "truncated" not in error.message:
                warnings.warn(
                    f"The rest of {path.name} is not read: {error.message}",
                    RuntimeWarning,
                    stacklevel=2,
                )
            return
        yield _parse(reader.record())


def read_file(path: Path) -> Iterator[StepBlock | Annotation]:
    """Yields the blocks and annotations of one file in the order in which they were written.

    Raises:
        ValueError: A newer version of keras_l4 wrote the file.
    """
    schemas: dict[str, schema.TagSchema] = {}
    kinds: dict[str, AnnotationKind] = {}
    for event in read_events(path):
        tensors = {}
        for value in event.summary.value:
            # Only the first event of a tag has metadata.
            if value.metadata.plugin_data.plugin_name == schema.PLUGIN_NAME:
                content = value.metadata.plugin_data.content
                if kind := decode_kind(content):
                    kinds[value.tag] = kind
                else:
                    schemas[value.tag] = schema.decode(content)
            if value.tag in schemas:
                tensors[value.tag] = make_ndarray(value.tensor)
            elif value.tag in kinds:
                yield decode_annotation(kinds[value.tag], make_ndarray(value.tensor).item())
        if tensors:
            yield from_tensors(schemas, tensors)


def last_step(run_dir: str | os.PathLike[str]) -> int:
    """Returns the last step that was written to a folder; 0 if there is none.

    This is fast for large files: it reads the length of each record, and the content of the last
    record only.
    """
    return max(map(_last_step, event_files(run_dir)), default=0)


def _is_from_keras_l4(path: Path) -> bool:
    with path.open("rb") as file:
        record = next(_complete_records(file), None)
        event = None if record is None else _read_event(file, record)
    return event is not None and event.source_metadata.writer == WRITER_NAME


def _last_step(path: Path) -> int:
    with path.open("rb") as file:
        for record in reversed(list(_complete_records(file))):
            if event := _read_event(file, record):
                return event.step
    return 0


def _complete_records(file: BinaryIO) -> Iterator[slice]:
    """Yields the position of each record's content, without reading it."""
    size = file.seek(0, os.SEEK_END)
    start = _HEADER.size
    while start <= size:
        file.seek(start - _HEADER.size)
        length, _ = _HEADER.unpack(file.read(_HEADER.size))
        end = start + length
        if end + _FOOTER.size > size:
            return
        yield slice(start, end)
        start = end + _FOOTER.size + _HEADER.size


def _read_event(file: BinaryIO, record: slice) -> event_pb2.Event | None:
    """Returns the event, or None if its checksum is wrong."""
    file.seek(record.start)
    content = file.read(record.stop - record.start)
    (checksum,) = _FOOTER.unpack(file.read(_FOOTER.size))
    return _parse(content) if masked_crc32c(content) == checksum else None


def _parse(content: bytes) -> event_pb2.Event:
    return event_pb2.Event.FromString(content)
