import warnings
from contextlib import closing

import numpy as np
import pytest
from tensorboard.compat.proto import event_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

from keras_l4.events import BlockWriter, last_step
from keras_l4.events.reader import blocks, event_files, events

pytestmark = pytest.mark.any_backend


def write(folder, *some_blocks):
    with closing(BlockWriter(folder)) as writer:
        for block in some_blocks:
            writer.write(block)
    return event_files(folder)[-1]


def record_starts(path):
    content, starts, start = path.read_bytes(), [], 0
    while start < len(content):
        starts.append(start)
        start += 16 + int.from_bytes(content[start : start + 8], "little")
    return starts


def test_cut_at_every_byte_of_the_last_record(tmp_path, make_block, assert_equal):
    first = make_block(1, 4)
    path = write(tmp_path, first, make_block(5, 1))
    content, start = path.read_bytes(), record_starts(path)[-1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for end in range(start, len(content)):
            path.write_bytes(content[:end])
            assert last_step(tmp_path) == 4
            (block,) = blocks(path)
            assert_equal(block, first)
    path.write_bytes(content)
    assert last_step(tmp_path) == 5


def test_cut_in_the_first_record_is_nobodys_file(tmp_path, make_block):
    path = write(tmp_path, make_block(1, 4))
    content = path.read_bytes()
    for end in range(record_starts(path)[1]):
        path.write_bytes(content[:end])
        assert event_files(tmp_path) == []


def test_damage_is_reported_and_ends_the_file(tmp_path, make_block):
    path = write(tmp_path, make_block(1, 4), make_block(5, 4), make_block(9, 4))
    content, start = bytearray(path.read_bytes()), record_starts(path)[-2]
    content[start + 40] ^= 1
    path.write_bytes(content)
    with pytest.warns(RuntimeWarning, match=f"rest of {path.name} is not read"):
        assert [block.steps[-1] for block in blocks(path)] == [4]
    assert last_step(tmp_path) == 12, "steps behind the damage must not be used again"


def test_last_step_steps_over_a_damaged_last_record(tmp_path, make_block):
    path = write(tmp_path, make_block(1, 4), make_block(5, 4))
    content = bytearray(path.read_bytes())
    content[record_starts(path)[-1] + 40] ^= 1
    path.write_bytes(content)
    assert last_step(tmp_path) == 4


def test_zeros_behind_the_last_record(tmp_path, make_block):
    path = write(tmp_path, make_block(1, 4))
    path.write_bytes(path.read_bytes() + bytes(1000))
    assert last_step(tmp_path) == 4
    with pytest.warns(RuntimeWarning, match="not read"):
        assert len(list(blocks(path))) == 1


def test_last_step_of_nothing(tmp_path):
    assert last_step(tmp_path) == 0
    assert last_step(tmp_path / "missing") == 0
    write(tmp_path)
    assert last_step(tmp_path) == 0


def test_last_step_over_all_files(tmp_path, make_block):
    write(tmp_path, make_block(1, 4))
    write(tmp_path, make_block(5, 7))
    write(tmp_path)
    assert last_step(tmp_path) == 11


def test_last_step_reads_little(tmp_path, make_block, monkeypatch):
    path = write(tmp_path, *(make_block(first, 100) for first in range(1, 3001, 100)))
    parsed = []
    real = event_pb2.Event.FromString
    monkeypatch.setattr(
        "keras_l4.events.reader._parse", lambda data: parsed.append(len(data)) or real(data)
    )
    assert last_step(tmp_path) == 3000
    assert sum(parsed) < path.stat().st_size / 10


def test_event_files_of_others_are_left_out(tmp_path, make_block):
    ours = write(tmp_path, make_block(1, 4))
    with (tmp_path / "events.out.tfevents.9999999999.host").open("wb") as file:
        for event in (event_pb2.Event(file_version="brain.Event:2"), event_pb2.Event(step=99)):
            RecordWriter(file).write(event.SerializeToString())
    (tmp_path / "events.out.tfevents.0").write_bytes(b"not an event file at all")
    assert event_files(tmp_path) == [ours]
    assert last_step(tmp_path) == 4


def test_files_come_oldest_first(tmp_path, make_block):
    write(tmp_path, make_block(1, 4))
    write(tmp_path, make_block(5, 4))
    assert [next(blocks(path)).steps[0] for path in event_files(tmp_path)] == [1, 5]


def test_events_keep_their_steps(tmp_path, make_block):
    path = write(tmp_path, make_block(1, 60))
    assert [event.step for event in events(path)] == [0, 1, 2, 3, 51, 52, 60]


def test_histograms_are_no_blocks(tmp_path, make_block):
    with closing(BlockWriter(tmp_path)) as writer:
        writer.write(make_block(1, 4))
        writer.write_histograms(4, {"weights": np.arange(5.0)})
    assert len(list(blocks(event_files(tmp_path)[0]))) == 1
