import numpy as np
import pytest

from keras_l4.events.segments import concatenate_series, join_segments
from keras_l4.records.block import Series

pytestmark = pytest.mark.any_backend


def steps_and_iterations(blocks):
    return [(int(s), int(i)) for b in blocks for s, i in zip(b.steps, b.iterations, strict=True)]


def test_segment_that_continues_supersedes_nothing(make_block):
    blocks, num_superseded = join_segments(
        [[make_block(1, 4)], [make_block(5, 2), make_block(7, 2)]]
    )
    assert [step for step, _ in steps_and_iterations(blocks)] == list(range(1, 9))
    assert num_superseded == 0


def test_gap_in_iterations_supersedes_nothing(make_block):
    blocks, num_superseded = join_segments(
        [[make_block(1, 4)], [make_block(5, 2, iterations=[40, 41])]]
    )
    assert len(blocks) == 2
    assert num_superseded == 0


def test_resuming_from_an_older_checkpoint_supersedes_the_steps_after_it(make_block):
    segments = [[make_block(1, 4), make_block(5, 4)], [make_block(9, 2, iterations=[2, 3])]]
    blocks, num_superseded = join_segments(segments)
    assert steps_and_iterations(blocks) == [(1, 0), (2, 1), (9, 2), (10, 3)]
    assert num_superseded == 6


def test_new_model_in_the_same_folder_supersedes_all_steps(make_block):
    blocks, num_superseded = join_segments(
        [[make_block(1, 4)], [make_block(5, 2, iterations=[0, 1])]]
    )
    assert len(blocks) == 1
    assert steps_and_iterations(blocks) == [(5, 0), (6, 1)]
    assert num_superseded == 4


def test_resuming_twice_supersedes_twice(make_block):
    segments = [
        [make_block(1, 4)],
        [make_block(5, 2, iterations=[2, 3])],
        [make_block(7, 2, iterations=[3, 4])],
    ]
    blocks, num_superseded = join_segments(segments)
    assert steps_and_iterations(blocks) == [(1, 0), (2, 1), (5, 2), (7, 3), (8, 4)]
    assert num_superseded == 3


def test_skipped_steps_at_the_end_are_not_superseded_by_the_next_fit(make_block):
    first = make_block(1, 4, iterations=[0, 1, 2, 2], skipped=[3, 4])
    blocks, num_superseded = join_segments([[first], [make_block(5, 2, iterations=[2, 3])]])
    assert len(steps_and_iterations(blocks)) == 6
    assert num_superseded == 0


def test_new_model_supersedes_skipped_steps_too(make_block):
    first = make_block(1, 3, iterations=[0, 0, 1], skipped=[1])
    blocks, num_superseded = join_segments([[first], [make_block(4, 1, iterations=[0])]])
    assert steps_and_iterations(blocks) == [(4, 0)]
    assert num_superseded == 3


def test_overlapping_steps_are_superseded(make_block):
    blocks, num_superseded = join_segments(
        [[make_block(1, 4)], [make_block(3, 4, iterations=[9, 10, 11, 12])]]
    )
    assert [step for step, _ in steps_and_iterations(blocks)] == [1, 2, 3, 4, 5, 6]
    assert num_superseded == 2


def test_segments_without_blocks_are_ignored(make_block):
    assert join_segments([]) == ([], 0)
    assert len(join_segments([[], [make_block()], []])[0]) == 1


def test_series_with_the_same_names_keep_their_dtype():
    parts = [Series(np.array([step]), ("a", "b"), np.array([[1, 2]])) for step in (1, 2)]
    series = concatenate_series(parts, ("a", "b"))
    assert series.values.dtype == np.int64
    assert series.steps.tolist() == [1, 2]


@pytest.mark.parametrize("order", ["cab", "abc"])
def test_values_of_absent_names_are_nan(order):
    parts = [
        Series(np.array([1]), ("a", "b"), np.array([[1, 2]])),
        Series(np.array([2]), ("c", "a"), np.array([[3, 4]])),
    ]
    series = concatenate_series(parts, (*order, "never measured"))
    assert series.names == tuple(order)
    expected = {"a": [1, 4], "b": [2, np.nan], "c": [np.nan, 3]}
    np.testing.assert_array_equal(series.values.T, [expected[name] for name in order])
