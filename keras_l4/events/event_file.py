"""EventFile: a TensorBoard event file that never ends within a record."""

from __future__ import annotations

import itertools
import os
import socket
import struct
import time
from collections.abc import Sequence
from pathlib import Path

import google_crc32c
from tensorboard.compat.proto import event_pb2

WRITER_NAME = "keras_l4"
"""Name of the writer in the first event of a file. It identifies the files of keras_l4."""

FILE_PATTERN = "events.out.tfevents.*"

_counter = itertools.count()


class EventFile:
    """A new event file in a folder.

    Args:
        run_dir: The folder; created if it does not exist.

    Raises:
        OSError: The folder or the file cannot be written.
    """

    def __init__(self, run_dir: Path) -> None:
        run_dir.mkdir(parents=True, exist_ok=True)
        self._file = open(run_dir / _new_name(run_dir), "xb", buffering=0)  # noqa: SIM115
        self.append([_first_event()])

    def append(self, events: Sequence[event_pb2.Event]) -> None:
        """Appends `events` and hands them to the operating system: all of them, or none.

        Raises:
            OSError: They cannot be written. The file then ends with the previous event.
        """
        records = b"".join(_frame(event.SerializeToString()) for event in events)
        end = self._file.tell()
        try:
            self._write(memoryview(records))
        except OSError:
            # Readers stop at an incomplete record, and would miss everything written after it.
            self._file.truncate(end)
            self._file.seek(end)
            raise

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _write(self, data: memoryview) -> None:
        # An unbuffered file may write a part of the data only.
        while data:
            data = data[self._file.write(data) :]


def _frame(data: bytes) -> bytes:
    """Returns a TFRecord with the content `data`.

    TensorBoard's own writer computes the checksum in Python, which takes 0.1 s per megabyte.
    """
    length = struct.pack("<Q", len(data))
    return length + _masked_checksum(length) + data + _masked_checksum(data)


def _masked_checksum(data: bytes) -> bytes:
    checksum = google_crc32c.value(data)
    rotated = (checksum >> 15 | checksum << 17) + 0xA282EAD8
    return struct.pack("<I", rotated & 0xFFFFFFFF)


def _first_event() -> event_pb2.Event:
    source = event_pb2.SourceMetadata(writer=WRITER_NAME)
    return event_pb2.Event(
        wall_time=time.time(), file_version="brain.Event:2", source_metadata=source
    )


def _new_name(run_dir: Path) -> str:
    """Returns a name that sorts after all others, since TensorBoard never reads earlier files again.

    The time of an existing file may be in the future, if another machine's clock is fast.
    """
    timestamps = [_timestamp(path) for path in run_dir.glob(FILE_PATTERN)]
    now = max([int(time.time()), *(timestamp + 1 for timestamp in timestamps)])
    prefix = FILE_PATTERN.removesuffix("*")
    return f"{prefix}{now:010d}.{socket.gethostname()}.{os.getpid()}.{next(_counter):06d}"


def _timestamp(path: Path) -> int:
    timestamp = path.name.split(".")[3]
    return int(timestamp) if timestamp.isdecimal() else 0
