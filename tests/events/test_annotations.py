from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from keras_l4.events import BlockWriter, annotations, load
from keras_l4.records.annotations import EpochLogs
from keras_l4.records.block import StepBlock
from tests.rules.curvatures import BOWL, HEALTHY
from tests.rules.records import block, epochs, model_metadata, probe_result

pytestmark = pytest.mark.any_backend

ANNOTATIONS = [model_metadata(), probe_result(0, 0.5), *epochs([0.5, 0.9]), probe_result(20, 0.9)]
ALL_KINDS = [*ANNOTATIONS, replace(HEALTHY, condition_number=float("nan")), BOWL]


@pytest.mark.parametrize("annotation", ALL_KINDS, ids=lambda item: type(item).__name__)
def test_decoded_annotation_equals_the_encoded_one(annotation: Any) -> None:
    content = annotations.encode_annotation(annotation)
    decoded = annotations.decode_annotation(annotations.kind_of(annotation), content)
    assert repr(decoded) == repr(annotation)  # NaN is not equal to itself.


def test_unknown_fields_are_ignored() -> None:
    logs = EpochLogs(1, 0, {"loss": 1.0})
    fields = json.loads(annotations.encode_annotation(logs)) | {"unknown": "value"}
    assert annotations.decode_annotation("epoch_logs", json.dumps(fields).encode()) == logs


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
def test_field_of_wrong_type_is_an_error(changes: dict[str, Any]) -> None:
    fields = json.loads(annotations.encode_annotation(BOWL)) | changes
    with pytest.raises((ValueError, TypeError)):
        annotations.decode_annotation("surface", json.dumps(fields).encode())


def test_annotations_are_read_in_the_order_in_which_they_were_written(tmp_path: Path) -> None:
    writer = BlockWriter(tmp_path / "diagnostics")
    writer.write_annotation(ANNOTATIONS[0])
    writer.write_annotation(ANNOTATIONS[1])
    writer.write(block(num_steps=20))
    for annotation in ANNOTATIONS[2:]:
        writer.write_annotation(annotation)
    writer.write_findings("No findings.")
    writer.close()
    run = load(tmp_path)

    assert list(map(repr, run.annotations)) == list(map(repr, ANNOTATIONS))
    assert [probe.step for probe in run.record.probes] == [0, 20]
    assert run.record.metadata is not None
    assert run.record.num_steps == len(run.steps) == 20


def test_newer_format_version_is_an_error(
    tmp_path: Path, make_block: Callable[..., StepBlock], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(annotations, "FORMAT_VERSION", 99)
    writer = BlockWriter(tmp_path / "diagnostics")
    writer.write_annotation(ANNOTATIONS[0])
    writer.write(make_block())
    writer.close()
    with pytest.raises(ValueError, match="format version 99"):
        load(tmp_path)
