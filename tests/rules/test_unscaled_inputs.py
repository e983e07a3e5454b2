from __future__ import annotations

from dataclasses import replace

import pytest

from keras_l4.records.metadata import LayerMetadata
from tests.rules.records import LOST, facts, found, inputs, record, response

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
def test_a_smell_is_a_warning_where_the_model_falls_short(changes: dict[str, float]) -> None:
    known = facts(inputs=inputs(**changes))
    for accuracy, severity in ((LOST, "warning"), (0.9, "info")):
        (finding,) = found(record(known=known, accuracy=accuracy), "unscaled-inputs")
        assert finding.severity == severity


def test_answers_that_are_wrong_and_sure_fall_short_too() -> None:
    known = facts(inputs=inputs(**LARGE))
    run = record(known=known, responses=[response(200, 0.9, crossentropy=5.0)])
    assert [f.severity for f in found(run, "unscaled-inputs")] == ["warning"]


def test_silent_on_pixels_that_are_nearly_always_black() -> None:
    known = facts(inputs=inputs(scale=0.7, feature_ratio=2000.0))
    assert found(record(known=known, accuracy=LOST), "unscaled-inputs") == []


@pytest.mark.parametrize("kind", ["Normalization", "BatchNormalization", "Embedding"])
def test_silent_where_the_first_layer_scales(kind: str) -> None:
    known = facts(inputs=inputs(**LARGE))
    first = LayerMetadata("first", kind, "", "float32")
    known = replace(known, layers=(first, *known.layers))
    assert found(record(known=known, accuracy=LOST), "unscaled-inputs") == []
