import warnings

import numpy as np
import pytest

from keras_l4.records.block import StepBlock, Variable
from keras_l4.records.pooling import pool

pytestmark = pytest.mark.any_backend


def block_of(shapes, **values):
    """One step of one layer per key of `shapes`."""
    one = np.ones(1)
    return StepBlock(
        optimizer="adam",
        variables=tuple(
            Variable(f"{layer}/{i}", layer, shape, "float32")
            for layer, of_layer in shapes.items()
            for i, shape in enumerate(of_layer)
        ),
        **dict.fromkeys(("steps", "iterations", "epochs", "batches"), np.ones(1, np.int64)),
        **dict.fromkeys(("learning_rate", "loss_scale", "loss"), one),
        skipped=one < 0,
        held=one < 0,
        sampled=one > 0,
        values={name: np.array([row], np.float32) for name, row in values.items()},
    )


def pooled(rule, block, quantity):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return pool(rule, block, quantity)[0].tolist()


def test_mean_is_weighted_by_size():
    block = block_of({"a": [(2, 3), (2,)], "b": [(5,)]}, share=[0.5, 1, 0.25])
    assert pooled("mean_by_size", block, "share") == [0.625, 0.25]


def test_variable_without_elements_does_not_count():
    block = block_of({"a": [(2, 0), (2,)], "b": [(0,)]}, share=[np.nan, 1, np.nan])
    assert pooled("mean_by_size", block, "share") == [1, 0]


def test_nan_of_a_variable_with_elements_is_the_layers():
    block = block_of({"a": [(3,), (2,)]}, share=[np.nan, 1])
    assert np.isnan(pooled("mean_by_size", block, "share")[0])


def test_clip_factor_of_a_whole_layer():
    block = block_of({"a": [(3,), (2,)], "b": [(1,)]}, gradient_norm=[3, 4, 0], clip=[1, 0.5, 1])
    assert pooled("clip_factor", block, "clip") == [pytest.approx(13**0.5 / 5), 1]


def test_clip_factor_of_an_infinite_gradient_is_nan():
    block = block_of({"a": [(3,)]}, gradient_norm=[np.inf], clip=[0])
    assert np.isnan(pooled("clip_factor", block, "clip")[0])
