"""One TensorBoard event file that is appended to, a whole number of records at a time."""

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
"""Marks a file as ours, in its first event."""

PATTERN = "events.out.tfevents.*"

_counter = itertools.count()


class EventFile:
    """A new event file in `run_dir`, which is created where it is missing.

    Raises:
        OSError: The folder or the file cannot be written.
    """

    def __init__(self, run_dir: Path) -> None:
        run_dir.mkdir(parents=True, exist_ok=True)
        self._file = open(run_dir / _new_name(run_dir), "xb", buffering=0)  # noqa: SIM115
        self.append([_first_event()])

    def append(self, events: Sequence[event_pb2.Event]) -> None:
        """Hands `events` to the operating system, all of them or none.

        Raises:
            OSError: They could not be written. The file ends with the last good event.
        """
        records = b"".join(_framed(event.SerializeToString()) for event in events)
        end = self._file.tell()
        try:
            self._write(memoryview(records))
        except OSError:
            # Readers stop at half a record, and would never see what is written after it.
            self._file.truncate(end)
            self._file.seek(end)
            raise

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _write(self, data: memoryview) -> None:
        while data:
            data = data[self._file.write(data) :]


def _framed(data: bytes) -> bytes:
    """A TFRecord. TensorBoard's own writer takes its checksum in Python, 0.1 s a megabyte."""
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
    """A name that sorts behind all others: TensorBoard never goes back to an earlier file."""
    seconds = [_seconds(path) for path in run_dir.glob(PATTERN)]
    now = max([int(time.time()), *(second + 1 for second in seconds)])
    prefix = PATTERN.removesuffix("*")
    return f"{prefix}{now:010d}.{socket.gethostname()}.{os.getpid()}.{next(_counter):06d}"


def _seconds(path: Path) -> int:
    second = path.name.split(".")[3]
    return int(second) if second.isdecimal() else 0
