from dataclasses import replace

import numpy as np
import pytest

from keras_l4.records.block import StepBlock, Variable
from keras_l4.records.nonfinite import NonFinite, nonfinite_events

pytestmark = pytest.mark.any_backend


def make_block(gradient_norm, nan_count, inf_count):
    norms = np.asarray(gradient_norm, np.float32)
    num_steps = len(norms)
    steps = np.arange(21, 21 + num_steps)
    return StepBlock(
        optimizer="adam",
        variables=tuple(Variable(f"m/d/{n}", "m/d", (2, 3), "float32") for n in "ab"),
        steps=steps,
        iterations=steps - 1,
        epochs=np.full(num_steps, 2),
        batches=np.arange(num_steps),
        learning_rate=np.ones(num_steps),
        loss_scale=np.ones(num_steps),
        skipped=np.zeros(num_steps, bool),
        skipped_by_guard=np.zeros(num_steps, bool),
        loss=np.ones(num_steps),
        sampled=np.ones(num_steps, bool),
        values={
            "gradient_norm": norms,
            "nan_count": np.asarray(nan_count, np.int32),
            "inf_count": np.asarray(inf_count, np.int32),
        },
    )


NAN, INF = np.nan, np.inf


def test_events_are_sorted_by_step_then_variable_and_have_their_kind():
    block = make_block(
        [[1, 2], [NAN, NAN], [NAN, 1], [1, INF]],
        [[0, 0], [1, 0], [2, 0], [0, 0]],
        [[0, 0], [0, 3], [4, 0], [0, 0]],
    )
    found = nonfinite_events(block)
    assert found == (
        NonFinite(22, 2, 1, "m/d/a", 1, 0, 6),
        NonFinite(22, 2, 1, "m/d/b", 0, 3, 6),
        NonFinite(23, 2, 2, "m/d/a", 2, 4, 6),
        NonFinite(24, 2, 3, "m/d/b", 0, 0, 6),
    )
    assert [event.kind for event in found] == ["nan", "inf", "nan+inf", "overflow"]


def test_finite_gradients_have_no_events():
    assert nonfinite_events(make_block([[1, 2]], [[0, 0]], [[0, 0]])) == ()


def test_infinite_norm_without_counts_has_no_event():
    block = make_block([[INF, 2]], [[0, 0]], [[0, 0]])
    assert nonfinite_events(replace(block, values={"gradient_norm": [[INF, 2]]})) == ()


def test_infinite_norm_of_a_step_without_counts_is_no_overflow():
    block = make_block([[INF, 2], [INF, 2]], [[0, 0]], [[0, 0]])
    block = replace(
        block,
        sampled=np.array([False, True]),
        sampled_quantities=frozenset({"nan_count", "inf_count"}),
    )
    assert [event.step for event in nonfinite_events(block)] == [22]


@pytest.mark.parametrize(
    ("num_nan", "num_inf", "text"),
    [
        (3, 0, "3 NaN among the 6 gradients of m/d/a"),
        (1, 2, "1 NaN and 2 Inf among the 6 gradients of m/d/a"),
        (0, 0, "the norm of the gradient of m/d/a overflows float32"),
    ],
)
def test_text_names_step_counts_and_variable(num_nan, num_inf, text):
    event = NonFinite(22, 2, 1, "m/d/a", num_nan, num_inf, 6)
    assert str(event).startswith(f"step 22 (epoch 2, batch 1): {text}")
