from __future__ import annotations

import numpy as np
import pytest

from keras_l4.records.block import StepBlock
from keras_l4.records.loss_scaling import LossScaleStall, StallDetector

pytestmark = pytest.mark.any_backend


def make_block(skipped: list[bool], loss_scale: list[float], first: int) -> StepBlock:
    steps = np.arange(first, first + len(skipped))
    zeros = np.zeros(len(skipped))
    return StepBlock(
        optimizer="adam",
        variables=(),
        steps=steps,
        iterations=steps - 1,
        epochs=np.zeros(len(skipped), int),
        batches=steps - 1,
        learning_rate=zeros,
        loss_scale=np.array(loss_scale, float),
        skipped=np.array(skipped, bool),
        skipped_by_guard=np.zeros(len(skipped), bool),
        loss=zeros,
        sampled=zeros.astype(bool),
        values={},
    )


def find_stalls(
    skipped: list[bool], loss_scale: list[float], block_size: int
) -> list[LossScaleStall]:
    detector = StallDetector()
    blocks = [
        make_block(skipped[i : i + block_size], loss_scale[i : i + block_size], i + 1)
        for i in range(0, len(skipped), block_size)
    ]
    return [stall for block in blocks for stall in detector.observe(block)]


@pytest.mark.parametrize("block_size", [1, 3, 10, 100])
def test_ten_skipped_steps_in_a_row_and_a_scale_below_one_are_stalls(block_size: int) -> None:
    skipped = [True] * 9 + [False] + [True] * 13 + [False]
    loss_scale = [2.0 ** (2 - max(0, i - 9)) for i in range(24)]
    found = find_stalls(skipped, loss_scale, block_size)
    assert [(s.kind, s.step, s.num_skipped) for s in found] == [
        ("scale", 13, 3),
        ("skipped", 20, 10),
    ]
    assert found[0].loss_scale == 0.5
    assert "step 20 (epoch 0, batch 19): 10 steps in a row were skipped" in str(found[1])


def test_each_stall_is_found_once() -> None:
    skipped = [True] * 12 + [False]
    found = find_stalls(skipped * 2, [0.5] * 13 + [1.0] + [0.25] * 12, 5)
    assert [(s.kind, s.step) for s in found] == [
        ("scale", 1),
        ("skipped", 10),
        ("scale", 15),
        ("skipped", 23),
    ]
