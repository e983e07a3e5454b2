import warnings

import numpy as np
import pytest

from keras_l4.records.block import StepBlock, Variable
from keras_l4.records.pooling import pool

pytestmark = pytest.mark.any_backend


def make_block(shapes, **values):
    """Makes a block of one step; `shapes` is layer name to shapes of its variables."""
    one = np.ones(1)
    return StepBlock(
        optimizer="adam",
        variables=tuple(
            Variable(f"{layer}/{i}", layer, shape, "float32")
            for layer, layer_shapes in shapes.items()
            for i, shape in enumerate(layer_shapes)
        ),
        **dict.fromkeys(("steps", "iterations", "epochs", "batches"), np.ones(1, np.int64)),
        **dict.fromkeys(("learning_rate", "loss_scale", "loss"), one),
        skipped=one < 0,
        skipped_by_guard=one < 0,
        sampled=one > 0,
        values={name: np.array([row], np.float32) for name, row in values.items()},
    )


def pool_one_step(pooling, block, quantity):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return pool(pooling, block, quantity)[0].tolist()


def test_mean_is_weighted_by_the_sizes_of_the_variables():
    block = make_block({"a": [(2, 3), (2,)], "b": [(5,)]}, share=[0.5, 1, 0.25])
    assert pool_one_step("mean_by_size", block, "share") == [0.625, 0.25]


def test_variable_without_elements_is_ignored():
    block = make_block({"a": [(2, 0), (2,)], "b": [(0,)]}, share=[np.nan, 1, np.nan])
    assert pool_one_step("mean_by_size", block, "share") == [1, 0]


def test_nan_of_a_variable_makes_the_layer_nan():
    block = make_block({"a": [(3,), (2,)]}, share=[np.nan, 1])
    assert np.isnan(pool_one_step("mean_by_size", block, "share")[0])


def test_clip_factor_is_the_ratio_of_the_layer_norms():
    block = make_block({"a": [(3,), (2,)], "b": [(1,)]}, gradient_norm=[3, 4, 0], clip=[1, 0.5, 1])
    assert pool_one_step("clip_factor", block, "clip") == [pytest.approx(13**0.5 / 5), 1]


def test_clip_factor_of_an_infinite_gradient_is_nan():
    block = make_block({"a": [(3,)]}, gradient_norm=[np.inf], clip=[0])
    assert np.isnan(pool_one_step("clip_factor", block, "clip")[0])
