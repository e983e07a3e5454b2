"""Reading through TensorBoard's data provider gives what reading the files gives."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tensorboard import context
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.util.tensor_util import make_tensor_proto

from keras_l4 import load
from keras_l4.dashboard.recent import VersionedCache
from keras_l4.dashboard.source import RunRepository, num_missing
from keras_l4.events import BlockWriter, notes, schema
from keras_l4.events.eventfile import EventFile
from keras_l4.events.run import Run
from keras_l4.records.block import StepBlock
from tests.dashboard.conftest import Serve, Served, sampled, vanishing, write
from tests.rules.curvatures import BOWL
from tests.rules.records import block, facts

RUN = "a/diagnostics"


def read(served: Served, name: str = RUN) -> Run:
    source = RunRepository(served.plugin._provider, context.RequestContext(), "", VersionedCache(1))
    return source.whole(source.listing(name))


def part(first: int, last: int, **changes: object) -> StepBlock:
    """Steps of a run, all in one block."""
    steps = np.arange(first, last + 1)
    made = replace(block(num_steps=len(steps)), steps=steps, iterations=steps - 1)
    return replace(made, **changes)


def equal(one: Run, other: Run) -> None:
    assert one.quantities == other.quantities
    assert one.notes == other.notes
    assert one.num_superseded == other.num_superseded
    np.testing.assert_array_equal(one.steps, other.steps)
    np.testing.assert_array_equal(one.learning_rate, other.learning_rate)
    for quantity in one.quantities:
        left, right = one.series(quantity), other.series(quantity)
        np.testing.assert_array_equal(left.values, right.values, quantity)
        assert left.names == right.names


def test_run_in_several_blocks(tmp_path: Path, serve: Serve) -> None:
    write(tmp_path / RUN, [facts(), part(1, 70), part(71, 75), part(76, 200)])
    equal(read(serve()), load(tmp_path / RUN))


def test_resumed_run(tmp_path: Path, serve: Serve) -> None:
    """From a checkpoint: 40 steps are done over again, with numbers of their own."""
    write(tmp_path / RUN, [part(1, 100)])
    write(tmp_path / RUN, [part(101, 150, iterations=np.arange(60, 110))])
    run = read(serve())
    assert run.num_superseded == 40
    equal(run, load(tmp_path / RUN))


def test_counts_that_are_implied_and_quantities_of_sampled_steps(
    tmp_path: Path, serve: Serve
) -> None:
    write(tmp_path / RUN, [sampled(part(1, 60), 10), sampled(part(61, 66), 10)])
    equal(read(serve()), load(tmp_path / RUN))


def test_steps_that_tensorboard_did_not_keep_are_counted(tmp_path: Path, serve: Serve) -> None:
    write(tmp_path / RUN, [part(i, i + 9) for i in range(1, 200, 10)])
    run = read(serve(kept=5))
    assert len(run.steps) <= 50
    # The first and the last block may be among those that were dropped.
    assert num_missing(run) == np.ptp(run.steps) + 1 - len(run.steps) > 0
    assert num_missing(read(serve())) == 0


def test_run_that_is_still_being_written(tmp_path: Path, serve: Serve) -> None:
    writer = BlockWriter(tmp_path / RUN)
    served = serve()
    assert served.json("runs")["runs"] == []
    versions = set()
    for first in (1, 51):
        writer.write(part(first, first + 49))
        served.reload()
        (described,) = served.json("runs")["runs"]
        versions.add(described["version"])
        assert served.json("findings", run=RUN)["last_step"] == first + 49
    assert len(versions) == 2
    writer.close()


def test_truncated_file_is_read_up_to_the_cut(tmp_path: Path, serve: Serve) -> None:
    write(tmp_path / RUN, [part(1, 50), part(51, 100)])
    (file,) = (tmp_path / RUN).iterdir()
    file.write_bytes(file.read_bytes()[:-100])
    assert serve().json("findings", run=RUN)["last_step"] == 50


def test_many_runs(tmp_path: Path, serve: Serve) -> None:
    names = [f"run {i} <b>&'é" for i in range(30)]
    for name in names:
        write(tmp_path / name, [part(1, 3)])
    served = serve()
    assert [run["name"] for run in served.json("runs")["runs"]] == sorted(names)
    assert served.json("findings", run=names[7])["num_layers"] == 3


def foreign(folder: Path, content: bytes, tensor: object, tag: str = "index/1") -> None:
    """An event of our plugin's name by somebody else's hand."""
    metadata = summary_pb2.SummaryMetadata(data_class=summary_pb2.DATA_CLASS_TENSOR)
    metadata.plugin_data.plugin_name = schema.PLUGIN_NAME
    metadata.plugin_data.content = content
    value = summary_pb2.Summary.Value(tag=tag, metadata=metadata, tensor=make_tensor_proto(tensor))
    file = EventFile(folder)
    file.append([event_pb2.Event(step=1, summary=summary_pb2.Summary(value=[value]))])
    file.close()


INDEX = schema.encode(schema.TagSchema("index", "", "", "", False, "int64", "adam", 1, ()))
NEWER = json.dumps({**json.loads(INDEX), "format_version": 99}).encode()


@pytest.mark.parametrize(
    ("content", "tensor"),
    [
        (b"", np.zeros(3)),
        (b"\xff{", np.zeros(3)),
        (b"[]", np.zeros(3)),
        (b'{"format_version": 1}', np.zeros(3)),
        (b'{"format_version": 1, "kind": "index"}', np.zeros(3)),
        (INDEX, np.zeros((2, 2))),
        (INDEX, np.array([b"text"])),
        (NEWER, np.zeros((1, 6))),
        (b'{"format_version": 1, "kind": "facts"}', b"{}"),
    ],
)
def test_foreign_data_spoil_no_other_run(
    tmp_path: Path, serve: Serve, content: bytes, tensor: object
) -> None:
    foreign(tmp_path / "foreign", content, tensor)
    write(tmp_path / RUN, vanishing())
    served = serve()
    assert [run["name"] for run in served.json("runs")["runs"]] == [RUN, "foreign"]
    assert served.json("findings", run=RUN)["findings"]
    answer = served.ask("findings", run="foreign")
    assert answer.status_code == 400
    assert len(answer.data.splitlines()) == 1


def test_a_misshapen_note_is_an_error_of_the_request(tmp_path: Path, serve: Serve) -> None:
    write(tmp_path / RUN, [part(1, 9)])
    ragged = json.dumps({**json.loads(notes.encode(BOWL)), "loss": [[1.0, 2.0], [3.0]]})
    content = notes.metadata("surface").plugin_data.content
    foreign(tmp_path / RUN, content, ragged.encode(), "surface")
    answer = serve().ask("surface", run=RUN)
    assert answer.status_code == 400
    assert b"rows are of different length" in answer.data


def test_newer_format_is_told(tmp_path: Path, serve: Serve) -> None:
    foreign(tmp_path / "new", NEWER, np.zeros((1, 6)))
    served = serve()
    (run,) = served.json("runs")["runs"]
    assert "pip install --upgrade keras_l4" in run["problem"]
    assert b"--upgrade" in served.ask("heat_map", run="new", quantity="gradient_norm").data


def test_kinds_of_a_later_version_are_left_out(tmp_path: Path, serve: Serve) -> None:
    write(tmp_path / RUN, [part(1, 9)])
    foreign(tmp_path / RUN, b'{"format_version": 1, "kind": "hologram"}', np.zeros(2), "hologram")
    assert serve().json("findings", run=RUN)["last_step"] == 9
