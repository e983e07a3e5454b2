from __future__ import annotations

import itertools

import numpy as np
import pytest

from keras_l4.records.selection import concatenate_blocks, select_steps
from tests.records.blocks import assert_equal, make_block

pytestmark = pytest.mark.any_backend


def test_select_steps_selects_rows_of_sampled_quantities() -> None:
    block = make_block(1, 7, sample_every=3)
    part = select_steps(block, np.isin(block.steps, [1, 6, 7]))
    assert part.steps.tolist() == [1, 6, 7]
    np.testing.assert_array_equal(part.values["weight_norm"], block.values["weight_norm"][1:])
    np.testing.assert_array_equal(
        part.series("effective_learning_rate_p50").values,
        block.layer_values["effective_learning_rate_p50"][1:],
    )
    np.testing.assert_array_equal(part.loss, block.loss[[0, 5, 6]])


def test_concatenated_parts_equal_the_whole_block() -> None:
    whole = make_block(1, 100, skipped=[5, 63], skipped_by_guard=[8, 64])
    edges = [0, 7, 8, 63, 100]
    parts = [
        select_steps(whole, (whole.steps > begin) & (whole.steps <= end))
        for begin, end in itertools.pairwise(edges)
    ]
    assert_equal(concatenate_blocks(parts), whole)


def test_concatenated_block_has_the_common_quantities() -> None:
    first, second = make_block(1, 4), make_block(5, 4)
    del second.values["gradient_norm"]
    assert concatenate_blocks([first, second]).values.keys() == second.values.keys()
