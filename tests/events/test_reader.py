import warnings
from contextlib import closing

import numpy as np
import pytest
from tensorboard.compat.proto import event_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

from keras_l4.events import BlockWriter, last_step
from keras_l4.events.reader import event_files, read_events, read_file
from keras_l4.records.block import StepBlock

pytestmark = pytest.mark.any_backend


def write(folder, *blocks):
    with closing(BlockWriter(folder)) as writer:
        for block in blocks:
            writer.write(block)
    return event_files(folder)[-1]


def read_blocks(path):
    return (item for item in read_file(path) if isinstance(item, StepBlock))


def record_starts(path):
    content, starts, start = path.read_bytes(), [], 0
    while start < len(content):
        starts.append(start)
        start += 16 + int.from_bytes(content[start : start + 8], "little")
    return starts


def test_incomplete_last_record_is_ignored_without_a_warning(tmp_path, make_block, assert_equal):
    first = make_block(1, 4)
    path = write(tmp_path, first, make_block(5, 1))
    content, start = path.read_bytes(), record_starts(path)[-1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for end in range(start, len(content)):
            path.write_bytes(content[:end])
            assert last_step(tmp_path) == 4
            (block,) = read_blocks(path)
            assert_equal(block, first)
    path.write_bytes(content)
    assert last_step(tmp_path) == 5


def test_file_with_an_incomplete_first_record_is_not_listed(tmp_path, make_block):
    path = write(tmp_path, make_block(1, 4))
    content = path.read_bytes()
    for end in range(record_starts(path)[1]):
        path.write_bytes(content[:end])
        assert event_files(tmp_path) == []


def test_damaged_record_warns_and_ends_the_file(tmp_path, make_block):
    path = write(tmp_path, make_block(1, 4), make_block(5, 4), make_block(9, 4))
    content, start = bytearray(path.read_bytes()), record_starts(path)[-2]
    content[start + 40] ^= 1
    path.write_bytes(content)
    with pytest.warns(RuntimeWarning, match=f"rest of {path.name} is not read"):
        assert [block.steps[-1] for block in read_blocks(path)] == [4]
    assert last_step(tmp_path) == 12, "a new writer must not reuse steps after the damage"


def test_last_step_ignores_a_damaged_last_record(tmp_path, make_block):
    path = write(tmp_path, make_block(1, 4), make_block(5, 4))
    content = bytearray(path.read_bytes())
    content[record_starts(path)[-1] + 40] ^= 1
    path.write_bytes(content)
    assert last_step(tmp_path) == 4


def test_zeros_after_the_last_record_warn(tmp_path, make_block):
    path = write(tmp_path, make_block(1, 4))
    path.write_bytes(path.read_bytes() + bytes(1000))
    assert last_step(tmp_path) == 4
    with pytest.warns(RuntimeWarning, match="not read"):
        assert len(list(read_blocks(path))) == 1


def test_last_step_without_steps_is_zero(tmp_path):
    assert last_step(tmp_path) == 0
    assert last_step(tmp_path / "missing") == 0
    write(tmp_path)
    assert last_step(tmp_path) == 0


def test_last_step_is_the_maximum_over_all_files(tmp_path, make_block):
    write(tmp_path, make_block(1, 4))
    write(tmp_path, make_block(5, 7))
    write(tmp_path)
    assert last_step(tmp_path) == 11


def test_last_step_parses_less_than_a_tenth_of_the_file(tmp_path, make_block, monkeypatch):
    path = write(tmp_path, *(make_block(first, 100) for first in range(1, 3001, 100)))
    parsed_sizes = []
    from_string = event_pb2.Event.FromString
    monkeypatch.setattr(
        "keras_l4.events.reader._parse",
        lambda data: parsed_sizes.append(len(data)) or from_string(data),
    )
    assert last_step(tmp_path) == 3000
    assert sum(parsed_sizes) < path.stat().st_size / 10


def test_event_files_of_other_writers_are_not_listed(tmp_path, make_block):
    written = write(tmp_path, make_block(1, 4))
    with (tmp_path / "events.out.tfevents.9999999999.host").open("wb") as file:
        for event in (event_pb2.Event(file_version="brain.Event:2"), event_pb2.Event(step=99)):
            RecordWriter(file).write(event.SerializeToString())
    (tmp_path / "events.out.tfevents.0").write_bytes(b"not an event file at all")
    assert event_files(tmp_path) == [written]
    assert last_step(tmp_path) == 4


def test_event_files_are_sorted_by_age(tmp_path, make_block):
    write(tmp_path, make_block(1, 4))
    write(tmp_path, make_block(5, 4))
    assert [next(read_blocks(path)).steps[0] for path in event_files(tmp_path)] == [1, 5]


def test_events_are_read_with_their_steps(tmp_path, make_block):
    path = write(tmp_path, make_block(1, 60))
    assert [event.step for event in read_events(path)] == [0, 1, 2, 3, 51, 52, 60]


def test_histograms_are_not_read_as_blocks(tmp_path, make_block):
    with closing(BlockWriter(tmp_path)) as writer:
        writer.write(make_block(1, 4))
        writer.write_histograms(4, {"weights": np.arange(5.0)})
    assert len(list(read_blocks(event_files(tmp_path)[0]))) == 1
