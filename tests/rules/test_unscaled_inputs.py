from __future__ import annotations

from dataclasses import replace

import pytest

from keras_l4.records.metadata import LayerMetadata
from tests.rules.records import (
    CONSTANT_ACCURACY,
    found,
    inputs,
    model_metadata,
    probe_result,
    record,
)

LARGE = {"scale": 150.0, "maximum": 255.0}


@pytest.mark.parametrize(
    "changes",
    [
        LARGE,
        {"scale": 5.0, "feature_ratio": 500.0},
        {"scale": 1.0, "feature_ratio": 1e5},
        {"scale": 1e-3},
    ],
)
def test_unscaled_inputs_are_a_warning_if_the_model_underfits(changes: dict[str, float]) -> None:
    metadata = model_metadata(inputs=inputs(**changes))
    for accuracy, severity in ((CONSTANT_ACCURACY, "warning"), (0.9, "info")):
        (finding,) = found(record(metadata=metadata, accuracy=accuracy), "unscaled-inputs")
        assert finding.severity == severity


def test_overconfident_model_gets_a_warning() -> None:
    metadata = model_metadata(inputs=inputs(**LARGE))
    run = record(metadata=metadata, probes=[probe_result(200, 0.9, crossentropy=5.0)])
    assert [f.severity for f in found(run, "unscaled-inputs")] == ["warning"]


def test_rarely_lit_pixels_are_no_finding() -> None:
    metadata = model_metadata(inputs=inputs(scale=0.7, feature_ratio=2000.0))
    assert found(record(metadata=metadata, accuracy=CONSTANT_ACCURACY), "unscaled-inputs") == []


@pytest.mark.parametrize("kind", ["Normalization", "BatchNormalization", "Embedding"])
def test_normalizing_first_layer_is_no_finding(kind: str) -> None:
    metadata = model_metadata(inputs=inputs(**LARGE))
    first = LayerMetadata("first", kind, "", "float32")
    metadata = replace(metadata, layers=(first, *metadata.layers))
    assert found(record(metadata=metadata, accuracy=CONSTANT_ACCURACY), "unscaled-inputs") == []
