import errno
import itertools
import os
import time

import pytest
from tensorboard.compat.proto import event_pb2

from keras_l4.events import eventfile
from keras_l4.events.eventfile import EventFile
from keras_l4.events.reader import event_files, events

pytestmark = pytest.mark.any_backend


def step_event(step):
    return event_pb2.Event(step=step)


def test_names_sort_in_time_order_within_one_second(tmp_path, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 1_700_000_000.0)
    written = []
    for pid, first in [(900, 98), (900, 99), (80, 0), (7, 0)]:  # later processes, smaller pids
        monkeypatch.setattr(os, "getpid", lambda pid=pid: pid)
        monkeypatch.setattr(eventfile, "_counter", itertools.count(first))
        EventFile(tmp_path).close()
        (new,) = set(os.listdir(tmp_path)) - set(written)
        written.append(new)
    assert written == sorted(written)


def test_name_sorts_behind_a_clock_that_was_fast(tmp_path):
    (tmp_path / "events.out.tfevents.4000000000.host.1.0").touch()
    EventFile(tmp_path).close()
    assert max(os.listdir(tmp_path)).startswith("events.out.tfevents.4000000001.")


def test_odd_names_beside_it_do_no_harm(tmp_path):
    (tmp_path / "events.out.tfevents.odd").touch()
    EventFile(tmp_path).close()
    assert len(event_files(tmp_path)) == 1


def test_unwritable_folder_is_an_error_at_once(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        EventFile(tmp_path / "file")


class FullDisk:
    """A file that takes `room` bytes and no more, as `write(2)` does."""

    def __init__(self, file, room):
        self._file, self._room = file, room

    def __getattr__(self, name):
        return getattr(self._file, name)

    def write(self, data):
        if not self._room:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = self._file.write(data[: self._room])
        self._room -= written
        return written


def test_full_disk_leaves_whole_records_and_may_pass(tmp_path):
    file = EventFile(tmp_path)
    file.append([step_event(1)])
    real = file._file
    file._file = FullDisk(real, room=5)
    with pytest.raises(OSError, match="No space left"):
        file.append([step_event(2)])
    file._file = real
    file.append([step_event(3)])
    file.close()
    (path,) = event_files(tmp_path)
    assert [event.step for event in events(path)] == [0, 1, 3]
