import numpy as np
import pytest

from keras_l4.events.segments import concatenate, join, select
from keras_l4.records.block import Series

pytestmark = pytest.mark.any_backend


def steps_and_iterations(blocks):
    return [(int(s), int(i)) for b in blocks for s, i in zip(b.steps, b.iterations, strict=True)]


def test_segment_that_goes_on_supersedes_nothing(make_block):
    kept, dropped = join([[make_block(1, 4)], [make_block(5, 2), make_block(7, 2)]])
    assert [step for step, _ in steps_and_iterations(kept)] == list(range(1, 9))
    assert dropped == 0


def test_gap_in_iterations_supersedes_nothing(make_block):
    kept, dropped = join([[make_block(1, 4)], [make_block(5, 2, iterations=[40, 41])]])
    assert len(kept) == 2
    assert dropped == 0


def test_resumed_from_an_older_checkpoint(make_block):
    segments = [[make_block(1, 4), make_block(5, 4)], [make_block(9, 2, iterations=[2, 3])]]
    kept, dropped = join(segments)
    assert steps_and_iterations(kept) == [(1, 0), (2, 1), (9, 2), (10, 3)]
    assert dropped == 6


def test_new_model_in_the_same_folder(make_block):
    kept, dropped = join([[make_block(1, 4)], [make_block(5, 2, iterations=[0, 1])]])
    assert len(kept) == 1
    assert steps_and_iterations(kept) == [(5, 0), (6, 1)]
    assert dropped == 4


def test_resumed_twice(make_block):
    segments = [
        [make_block(1, 4)],
        [make_block(5, 2, iterations=[2, 3])],
        [make_block(7, 2, iterations=[3, 4])],
    ]
    kept, dropped = join(segments)
    assert steps_and_iterations(kept) == [(1, 0), (2, 1), (5, 2), (7, 3), (8, 4)]
    assert dropped == 3


def test_skipped_steps_at_the_end_are_not_superseded_by_the_next_fit(make_block):
    first = make_block(1, 4, iterations=[0, 1, 2, 2], skipped=[3, 4])
    kept, dropped = join([[first], [make_block(5, 2, iterations=[2, 3])]])
    assert len(steps_and_iterations(kept)) == 6
    assert dropped == 0


def test_new_model_supersedes_skipped_steps_too(make_block):
    first = make_block(1, 3, iterations=[0, 0, 1], skipped=[1])
    kept, dropped = join([[first], [make_block(4, 1, iterations=[0])]])
    assert steps_and_iterations(kept) == [(4, 0)]
    assert dropped == 3


def test_overlapping_steps_strictly_increase(make_block):
    kept, dropped = join([[make_block(1, 4)], [make_block(3, 4, iterations=[9, 10, 11, 12])]])
    assert [step for step, _ in steps_and_iterations(kept)] == [1, 2, 3, 4, 5, 6]
    assert dropped == 2


def test_segments_without_blocks(make_block):
    assert join([]) == ([], 0)
    assert len(join([[], [make_block()], []])[0]) == 1


def test_select_keeps_rows_of_sampled_quantities(make_block, assert_equal):
    block = make_block(1, 7, sample_every=3)
    part = select(block, np.isin(block.steps, [1, 6, 7]))
    assert part.steps.tolist() == [1, 6, 7]
    np.testing.assert_array_equal(part.values["weight_norm"], block.values["weight_norm"][1:])
    np.testing.assert_array_equal(
        part.series("effective_learning_rate_p50").values,
        block.layer_values["effective_learning_rate_p50"][1:],
    )
    np.testing.assert_array_equal(part.loss, block.loss[[0, 5, 6]])


def test_parts_with_the_same_names_keep_their_dtype():
    parts = [Series(np.array([step]), ("a", "b"), np.array([[1, 2]])) for step in (1, 2)]
    series = concatenate(parts, ("a", "b"))
    assert series.values.dtype == np.int64
    assert series.steps.tolist() == [1, 2]


@pytest.mark.parametrize("order", ["cab", "abc"])
def test_absent_names_are_nan(order):
    parts = [
        Series(np.array([1]), ("a", "b"), np.array([[1, 2]])),
        Series(np.array([2]), ("c", "a"), np.array([[3, 4]])),
    ]
    series = concatenate(parts, (*order, "never measured"))
    assert series.names == tuple(order)
    expected = {"a": [1, 4], "b": [2, np.nan], "c": [np.nan, 3]}
    np.testing.assert_array_equal(series.values.T, [expected[name] for name in order])
