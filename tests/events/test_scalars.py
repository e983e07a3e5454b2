from dataclasses import replace

import numpy as np
import pytest

from keras_l4.events.scalars import ScalarSampler
from keras_l4.records.selection import select_steps

pytestmark = pytest.mark.any_backend


def points(sampled, tag):
    return {step: values[tag] for step, values in sorted(sampled.items()) if tag in values}


def test_first_step_of_each_window_is_sampled(make_block):
    block = make_block(1, 25)
    norms = points(ScalarSampler(10, "layer").sample(block), "gradient_norm/mlp/dense")
    series = block.series("gradient_norm")
    assert norms == {step: series.values[step - 1, 0] for step in (1, 11, 21)}


@pytest.mark.parametrize("size", [1, 2, 7, 10, 25])
def test_blocks_of_any_size_give_the_same_scalars(make_block, size):
    whole = make_block(1, 50, counts={(step, step % 3): (step, 1) for step in range(1, 50, 7)})
    scalars, sampled = ScalarSampler(10, "layer"), {}
    for first in range(0, 50, size):
        sampled |= scalars.sample(part(whole, first, first + size))
    assert sampled == ScalarSampler(10, "layer").sample(whole)


def part(block, start, stop):
    rows = np.arange(len(block))
    return select_steps(block, (start <= rows) & (rows < stop))


def test_sampled_quantity_uses_its_first_sampled_step_of_each_window(make_block):
    block = make_block(1, 30, sample_every=4)
    medians = points(
        ScalarSampler(10, "layer").sample(block), "effective_learning_rate/mlp/out/p50"
    )
    assert list(medians) == [4, 12, 24]
    assert medians[12] == block.layer_values["effective_learning_rate_p50"][2, 1]


def test_loss_uses_the_first_step_with_a_loss_of_each_window(make_block):
    block = make_block(1, 20)
    losses = points(ScalarSampler(10, "layer").sample(block), "global/loss")
    assert losses == {2: block.loss[1], 12: block.loss[11]}


def test_global_norm_and_learning_rate_are_sampled(make_block):
    block = make_block(1, 3)
    sampled = ScalarSampler(10, "layer").sample(block)
    assert points(sampled, "global/gradient_norm") == {1: block.global_gradient_norm[0]}
    assert points(sampled, "global/learning_rate") == {1: 1e-3}


def test_nonfinite_counts_are_summed_since_the_previous_scalar(make_block):
    counts = {(1, 0): (1, 0), (2, 0): (2, 3), (11, 1): (4, 0), (12, 2): (0, 7), (15, 0): (1, 0)}
    scalars = ScalarSampler(10, "layer")
    sampled = scalars.sample(
        make_block(1, 12, counts={k: v for k, v in counts.items() if k[0] < 13})
    )
    assert points(sampled, "nonfinite/mlp/dense") == {1: 1, 11: 9}
    assert points(sampled, "nonfinite/mlp/out") == {1: 0, 11: 0}
    assert points(sampled, "global/nonfinite") == {1: 1, 11: 9}
    later = scalars.sample(make_block(13, 10, counts={(15, 0): (1, 0), (22, 0): (5, 0)}))
    assert points(later, "nonfinite/mlp/dense") == {21: 1}
    assert points(later, "nonfinite/mlp/out") == {21: 7}
    assert scalars.pop_unwritten_counts() == {"nonfinite/mlp/dense": 5, "global/nonfinite": 5}
    assert scalars.pop_unwritten_counts() == {}


def test_counts_of_sampled_steps_are_summed(make_block):
    block = make_block(1, 6, counts={(3, 0): (2, 0)})
    sampled = replace(
        block,
        values={**block.values, "nan_count": block.values["nan_count"][block.sampled]},
        sampled_quantities=block.sampled_quantities | {"nan_count"},
    )
    scalars = ScalarSampler(10, "layer")
    assert scalars.sample(sampled) == ScalarSampler(10, "layer").sample(block)
    assert scalars.pop_unwritten_counts()["global/nonfinite"] == 2


def test_scalars_by_variable_are_named_after_variables(make_block):
    block = make_block(1, 1)
    sampled = ScalarSampler(10, "variable").sample(block)[1]
    assert sampled["gradient_norm/mlp/dense/bias"] == block.values["gradient_norm"][0, 1]
    assert "gradient_norm/mlp/dense" not in sampled


def test_quantities_that_the_block_lacks_have_no_scalars(make_block):
    bare = replace(make_block(1, 3), values={}, layer_values={})
    assert ScalarSampler(10, "layer").sample(bare)[1] == {"global/learning_rate": 1e-3}
