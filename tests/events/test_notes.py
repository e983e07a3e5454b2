from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from keras_l4.events import BlockWriter, load, notes
from keras_l4.records.annotations import EpochLogs
from keras_l4.records.block import StepBlock
from tests.rules.curvatures import BOWL, HEALTHY
from tests.rules.records import block, epochs, facts, response

NOTES = [facts(), response(0, 0.5), *epochs([0.5, 0.9]), response(20, 0.9)]
ALL = [*NOTES, replace(HEALTHY, condition_number=float("nan")), BOWL]


@pytest.mark.parametrize("note", ALL, ids=lambda note: type(note).__name__)
def test_round_trip(note: Any) -> None:
    again = notes.decode(notes.kind_of(note), notes.encode(note))
    assert repr(again) == repr(note)  # NaN is not equal to itself.


def test_fields_of_a_later_version_are_left_out() -> None:
    fields = json.loads(notes.encode(EpochLogs(1, 0, {"loss": 1.0}))) | {"mood": "good"}
    assert notes.decode("epoch_logs", json.dumps(fields).encode()) == EpochLogs(1, 0, {"loss": 1.0})


@pytest.mark.parametrize(
    "changes",
    [
        {"step": "1"},
        {"step": True},
        {"seconds": None},
        {"directions": 3},
        {"loss": "abc"},
        {"loss": [[1.0, 2.0], [3.0]]},
        {"multiples": [1.0, None]},
        {"path_steps": [0.5]},
        {"unknown_filters": 7},
    ],
    ids=str,
)
def test_what_has_not_the_shape_of_a_note_is_an_error(changes: dict[str, Any]) -> None:
    fields = json.loads(notes.encode(BOWL)) | changes
    with pytest.raises((ValueError, TypeError)):
        notes.decode("surface", json.dumps(fields).encode())


def test_they_are_read_back_in_order(tmp_path: Path) -> None:
    writer = BlockWriter(tmp_path / "diagnostics")
    writer.write_note(NOTES[0])
    writer.write_note(NOTES[1])
    writer.write(block(num_steps=20))
    for note in NOTES[2:]:
        writer.write_note(note)
    writer.write_findings("No findings.")
    writer.close()
    run = load(tmp_path)

    assert [repr(note) for note in run.notes] == [repr(note) for note in NOTES]
    assert [answer.step for answer in run.record.responses] == [0, 20]
    assert run.record.facts is not None
    assert run.record.num_steps == len(run.steps) == 20


def test_a_newer_format_is_an_error(
    tmp_path: Path, make_block: Callable[..., StepBlock], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notes, "FORMAT_VERSION", 99)
    writer = BlockWriter(tmp_path / "diagnostics")
    writer.write_note(NOTES[0])
    writer.write(make_block())
    writer.close()
    with pytest.raises(ValueError, match="format version 99"):
        load(tmp_path)
