import errno
import itertools
import os
import time

import pytest
from tensorboard.compat.proto import event_pb2

from keras_l4.events import event_file
from keras_l4.events.event_file import EventFile
from keras_l4.events.reader import event_files, read_events

pytestmark = pytest.mark.any_backend


def step_event(step):
    return event_pb2.Event(step=step)


def test_names_sort_in_time_order_within_one_second(tmp_path, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 1_700_000_000.0)
    written = []
    for pid, first in [(900, 98), (900, 99), (80, 0), (7, 0)]:  # Later processes, smaller pids.
        monkeypatch.setattr(os, "getpid", lambda pid=pid: pid)
        monkeypatch.setattr(event_file, "_counter", itertools.count(first))
        EventFile(tmp_path).close()
        (new,) = set(os.listdir(tmp_path)) - set(written)
        written.append(new)
    assert written == sorted(written)


def test_name_sorts_after_a_file_from_the_future(tmp_path):
    (tmp_path / "events.out.tfevents.4000000000.host.1.0").touch()
    EventFile(tmp_path).close()
    assert max(os.listdir(tmp_path)).startswith("events.out.tfevents.4000000001.")


def test_files_with_other_names_are_ignored(tmp_path):
    (tmp_path / "events.out.tfevents.odd").touch()
    EventFile(tmp_path).close()
    assert len(event_files(tmp_path)) == 1


def test_unwritable_folder_raises_when_the_file_is_created(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        EventFile(tmp_path / "file")


class FullDisk:
    """A file on a disk with `free` bytes left: like `write(2)`, it writes as much as fits."""

    def __init__(self, file, free):
        self._file, self._free = file, free

    def __getattr__(self, name):
        return getattr(self._file, name)

    def write(self, data):
        if not self._free:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = self._file.write(data[: self._free])
        self._free -= written
        return written


def test_full_disk_leaves_complete_records_and_later_events_are_written(tmp_path):
    file = EventFile(tmp_path)
    file.append([step_event(1)])
    file_on_disk = file._file
    file._file = FullDisk(file_on_disk, free=5)
    with pytest.raises(OSError, match="No space left"):
        file.append([step_event(2)])
    file._file = file_on_disk
    file.append([step_event(3)])
    file.close()
    (path,) = event_files(tmp_path)
    assert [event.step for event in read_events(path)] == [0, 1, 3]
