from dataclasses import replace

import numpy as np
import pytest

from keras_l4.events.scalars import Scalars
from keras_l4.events.segments import select

pytestmark = pytest.mark.any_backend


def points(picked, tag):
    return {step: values[tag] for step, values in sorted(picked.items()) if tag in values}


def test_first_step_of_each_window(make_block):
    block = make_block(1, 25)
    norms = points(Scalars(10, "layer").pick(block), "gradient_norm/mlp/dense")
    series = block.series("gradient_norm")
    assert norms == {step: series.values[step - 1, 0] for step in (1, 11, 21)}


@pytest.mark.parametrize("size", [1, 2, 7, 10, 25])
def test_blocks_of_any_size_give_the_same_scalars(make_block, size):
    whole = make_block(1, 50, counts={(step, step % 3): (step, 1) for step in range(1, 50, 7)})
    scalars, picked = Scalars(10, "layer"), {}
    for first in range(0, 50, size):
        picked |= scalars.pick(part(whole, first, first + size))
    assert picked == Scalars(10, "layer").pick(whole)


def part(block, start, stop):
    rows = np.arange(len(block))
    return select(block, (start <= rows) & (rows < stop))


def test_sampled_quantity_at_its_first_sampled_step_in_each_window(make_block):
    block = make_block(1, 30, sample_every=4)
    medians = points(Scalars(10, "layer").pick(block), "effective_learning_rate/mlp/out/p50")
    assert list(medians) == [4, 12, 24]
    assert medians[12] == block.layer_values["effective_learning_rate_p50"][2, 1]


def test_loss_at_the_first_step_that_saw_it(make_block):
    block = make_block(1, 20)
    losses = points(Scalars(10, "layer").pick(block), "global/loss")
    assert losses == {2: block.loss[1], 12: block.loss[11]}


def test_global_norm_and_learning_rate(make_block):
    block = make_block(1, 3)
    picked = Scalars(10, "layer").pick(block)
    assert points(picked, "global/gradient_norm") == {1: block.global_gradient_norm[0]}
    assert points(picked, "global/learning_rate") == {1: 1e-3}


def test_nonfinite_is_summed_over_the_window(make_block):
    counts = {(1, 0): (1, 0), (2, 0): (2, 3), (11, 1): (4, 0), (12, 2): (0, 7), (15, 0): (1, 0)}
    scalars = Scalars(10, "layer")
    picked = scalars.pick(make_block(1, 12, counts={k: v for k, v in counts.items() if k[0] < 13}))
    assert points(picked, "nonfinite/mlp/dense") == {1: 1, 11: 9}
    assert points(picked, "nonfinite/mlp/out") == {1: 0, 11: 0}
    assert points(picked, "global/nonfinite") == {1: 1, 11: 9}
    later = scalars.pick(make_block(13, 10, counts={(15, 0): (1, 0), (22, 0): (5, 0)}))
    assert points(later, "nonfinite/mlp/dense") == {21: 1}
    assert points(later, "nonfinite/mlp/out") == {21: 7}
    assert scalars.take_rest() == {"nonfinite/mlp/dense": 5, "global/nonfinite": 5}
    assert scalars.take_rest() == {}


def test_counts_of_sampled_steps_only(make_block):
    block = make_block(1, 6, counts={(3, 0): (2, 0)})
    sampled = replace(
        block,
        values={**block.values, "nan_count": block.values["nan_count"][block.sampled]},
        sampled_quantities=block.sampled_quantities | {"nan_count"},
    )
    scalars = Scalars(10, "layer")
    assert scalars.pick(sampled) == Scalars(10, "layer").pick(block)
    assert scalars.take_rest()["global/nonfinite"] == 2


def test_by_variable(make_block):
    block = make_block(1, 1)
    picked = Scalars(10, "variable").pick(block)[1]
    assert picked["gradient_norm/mlp/dense/bias"] == block.values["gradient_norm"][0, 1]
    assert "gradient_norm/mlp/dense" not in picked


def test_only_quantities_that_the_block_has(make_block):
    bare = replace(make_block(1, 3), values={}, layer_values={})
    assert Scalars(10, "layer").pick(bare)[1] == {"global/learning_rate": 1e-3}
