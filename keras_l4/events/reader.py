"""Event files of ours, read as far as they are whole."""

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

from keras_l4.events import notes, schema
from keras_l4.events.eventfile import PATTERN, WRITER_NAME
from keras_l4.events.record import from_tensors
from keras_l4.events.tags import NoteKind
from keras_l4.records.annotations import Annotation
from keras_l4.records.block import StepBlock

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")


def event_files(run_dir: str | os.PathLike[str]) -> list[Path]:
    """Our event files in a folder, oldest first; those of other writers are left out."""
    return [path for path in sorted(Path(run_dir).glob(PATTERN)) if _is_ours(path)]


def events(path: Path) -> Iterator[event_pb2.Event]:
    """Events of one file, up to its end or the first record that is not whole.

    A cut at the end is normal: the writer was killed, or is writing. Damage before it is
    reported by a `RuntimeWarning`.
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


def contents(path: Path) -> Iterator[StepBlock | Annotation]:
    """The blocks and notes of one file, which is one segment of a run, as they were written.

    Raises:
        ValueError: A newer version of keras_l4 wrote it.
    """
    schemas: dict[str, schema.TagSchema] = {}
    kinds: dict[str, NoteKind] = {}
    for event in events(path):
        tensors = {}
        for value in event.summary.value:
            if value.metadata.plugin_data.plugin_name == schema.PLUGIN_NAME:
                content = value.metadata.plugin_data.content
                if kind := notes.described_kind(content):
                    kinds[value.tag] = kind
                else:
                    schemas[value.tag] = schema.decode(content)
            if value.tag in schemas:
                tensors[value.tag] = make_ndarray(value.tensor)
            elif value.tag in kinds:
                yield notes.decode(kinds[value.tag], make_ndarray(value.tensor).item())
        if tensors:
            yield from_tensors(schemas, tensors)


def blocks(path: Path) -> Iterator[StepBlock]:
    """The blocks of one file."""
    return (item for item in contents(path) if isinstance(item, StepBlock))


def last_step(run_dir: str | os.PathLike[str]) -> int:
    """The last step that was written to a folder, 0 where there is none.

    Reads the length of each record and the content of the last one of each file only.
    """
    return max(map(_last_step, event_files(run_dir)), default=0)


def _is_ours(path: Path) -> bool:
    with path.open("rb") as file:
        first = next(_whole_records(file), None)
        event = None if first is None else _read_event(file, first)
    return event is not None and event.source_metadata.writer == WRITER_NAME


def _last_step(path: Path) -> int:
    with path.open("rb") as file:
        for record in reversed(list(_whole_records(file))):
            if event := _read_event(file, record):
                return event.step
    return 0


def _whole_records(file: BinaryIO) -> Iterator[slice]:
    """Where the content of each record lies, found without reading it."""
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
    """The event, or None where its bytes were damaged."""
    file.seek(record.start)
    content = file.read(record.stop - record.start)
    (checksum,) = _FOOTER.unpack(file.read(_FOOTER.size))
    return _parse(content) if masked_crc32c(content) == checksum else None


def _parse(content: bytes) -> event_pb2.Event:
    return event_pb2.Event.FromString(content)
