"""Reading through TensorBoard's data provider gives the same run as reading the files."""

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
from keras_l4.dashboard.run_repository import RunRepository, num_missing_steps
from keras_l4.dashboard.versioned_cache import VersionedCache
from keras_l4.events import BlockWriter, schema
from keras_l4.events.annotations import encode_annotation, metadata_of
from keras_l4.events.event_file import EventFile
from keras_l4.events.run import Run
from keras_l4.records.block import StepBlock
from tests.dashboard.conftest import Serve, ServedPlugin, sampled, vanishing, write
from tests.rules.curvatures import BOWL
from tests.rules.records import block, model_metadata

RUN = "a/diagnostics"


def read(served: ServedPlugin, name: str = RUN) -> Run:
    repository = RunRepository(served.provider, context.RequestContext(), "", VersionedCache(1))
    return repository.read_all(repository.index(name))


def part(first: int, last: int, **changes: object) -> StepBlock:
    """Returns steps `first` to `last` of a run as one block."""
    steps = np.arange(first, last + 1)
    fields = {"steps": steps, "iterations": steps - 1, **changes}
    return replace(block(num_steps=len(steps)), **fields)


def assert_equal(one: Run, other: Run) -> None:
    assert one.quantities == other.quantities
    assert one.annotations == other.annotations
    assert one.num_superseded == other.num_superseded
    np.testing.assert_array_equal(one.steps, other.steps)
    np.testing.assert_array_equal(one.learning_rate, other.learning_rate)
    for quantity in one.quantities:
        left, right = one.series(quantity), other.series(quantity)
        np.testing.assert_array_equal(left.values, right.values, quantity)
        assert left.names == right.names


def test_run_in_several_blocks_is_joined(tmp_path: Path, serve: Serve) -> None:
    write(tmp_path / RUN, [model_metadata(), part(1, 70), part(71, 75), part(76, 200)])
    assert_equal(read(serve()), load(tmp_path / RUN))


def test_superseded_steps_of_a_resumed_run_are_left_out(tmp_path: Path, serve: Serve) -> None:
    """A run resumed from a checkpoint repeats 40 steps with other numbers."""
    write(tmp_path / RUN, [part(1, 100)])
    write(tmp_path / RUN, [part(101, 150, iterations=np.arange(60, 110))])
    run = read(serve())
    assert run.num_superseded == 40
    assert_equal(run, load(tmp_path / RUN))


def test_zero_counts_and_sampled_quantities_are_restored(tmp_path: Path, serve: Serve) -> None:
    write(tmp_path / RUN, [sampled(part(1, 60), 10), sampled(part(61, 66), 10)])
    assert_equal(read(serve()), load(tmp_path / RUN))


def test_steps_dropped_by_tensorboard_are_counted(tmp_path: Path, serve: Serve) -> None:
    write(tmp_path / RUN, [part(i, i + 9) for i in range(1, 200, 10)])
    run = read(serve(max_samples=5))
    assert len(run.steps) <= 50
    # The first and the last block may be among the dropped ones, which no count can include.
    assert num_missing_steps(run) == np.ptp(run.steps) + 1 - len(run.steps) > 0
    assert num_missing_steps(read(serve())) == 0


def test_version_changes_while_a_run_is_being_written(tmp_path: Path, serve: Serve) -> None:
    writer = BlockWriter(tmp_path / RUN)
    served = serve()
    assert served.json("runs")["runs"] == []
    versions = set()
    for first in (1, 51):
        writer.write(part(first, first + 49))
        served.reload()
        (listed,) = served.json("runs")["runs"]
        versions.add(listed["version"])
        assert served.json("findings", run=RUN)["last_step"] == first + 49
    assert len(versions) == 2
    writer.close()


def test_truncated_file_is_read_up_to_the_cut(tmp_path: Path, serve: Serve) -> None:
    write(tmp_path / RUN, [part(1, 50), part(51, 100)])
    (file,) = (tmp_path / RUN).iterdir()
    file.write_bytes(file.read_bytes()[:-100])
    assert serve().json("findings", run=RUN)["last_step"] == 50


def test_runs_are_sorted_by_name(tmp_path: Path, serve: Serve) -> None:
    names = [f"run {i} <b>&'é" for i in range(30)]
    for name in names:
        write(tmp_path / name, [part(1, 3)])
    served = serve()
    assert [run["name"] for run in served.json("runs")["runs"]] == sorted(names)
    assert served.json("findings", run=names[7])["num_layers"] == 3


def write_foreign(
    folder: Path, content: bytes, tensor: object, tag: str = "step_integers/1"
) -> None:
    """Writes an event under the name of this plugin that keras_l4 would not write."""
    metadata = summary_pb2.SummaryMetadata(data_class=summary_pb2.DATA_CLASS_TENSOR)
    metadata.plugin_data.plugin_name = schema.PLUGIN_NAME
    metadata.plugin_data.content = content
    value = summary_pb2.Summary.Value(tag=tag, metadata=metadata, tensor=make_tensor_proto(tensor))
    file = EventFile(folder)
    file.append([event_pb2.Event(step=1, summary=summary_pb2.Summary(value=[value]))])
    file.close()


INDEX = schema.encode(schema.TagSchema("step_integers", "", "", "", False, "int64", "adam", 1, ()))
NEWER = json.dumps({**json.loads(INDEX), "format_version": 99}).encode()


@pytest.mark.parametrize(
    ("content", "tensor"),
    [
        (b"", np.zeros(3)),
        (b"\xff{", np.zeros(3)),
        (b"[]", np.zeros(3)),
        (b'{"format_version": 1}', np.zeros(3)),
        (b'{"format_version": 1, "kind": "step_integers"}', np.zeros(3)),
        (INDEX, np.zeros((2, 2))),
        (INDEX, np.array([b"text"])),
        (NEWER, np.zeros((1, 6))),
        (b'{"format_version": 1, "kind": "metadata"}', b"{}"),
    ],
)
def test_foreign_data_do_not_affect_other_runs(
    tmp_path: Path, serve: Serve, content: bytes, tensor: object
) -> None:
    write_foreign(tmp_path / "foreign", content, tensor)
    write(tmp_path / RUN, vanishing())
    served = serve()
    assert [run["name"] for run in served.json("runs")["runs"]] == [RUN, "foreign"]
    assert served.json("findings", run=RUN)["findings"]
    response = served.get("findings", run="foreign")
    assert response.status_code == 400
    assert len(response.data.splitlines()) == 1


def test_misshapen_annotation_is_an_error_of_the_request(tmp_path: Path, serve: Serve) -> None:
    write(tmp_path / RUN, [part(1, 9)])
    ragged = json.dumps({**json.loads(encode_annotation(BOWL)), "loss": [[1.0, 2.0], [3.0]]})
    content = metadata_of("surface").plugin_data.content
    write_foreign(tmp_path / RUN, content, ragged.encode(), "surface")
    response = serve().get("surface", run=RUN)
    assert response.status_code == 400
    assert b"rows have different lengths" in response.data


def test_newer_format_asks_for_an_upgrade(tmp_path: Path, serve: Serve) -> None:
    write_foreign(tmp_path / "new", NEWER, np.zeros((1, 6)))
    served = serve()
    (run,) = served.json("runs")["runs"]
    assert "pip install --upgrade keras_l4" in run["problem"]
    assert b"--upgrade" in served.get("heat_map", run="new", quantity="gradient_norm").data


def test_unknown_kinds_of_a_later_version_are_left_out(tmp_path: Path, serve: Serve) -> None:
    write(tmp_path / RUN, [part(1, 9)])
    write_foreign(
        tmp_path / RUN, b'{"format_version": 1, "kind": "hologram"}', np.zeros(2), "hologram"
    )
    assert serve().json("findings", run=RUN)["last_step"] == 9
