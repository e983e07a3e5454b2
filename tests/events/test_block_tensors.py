import warnings
from contextlib import closing
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from keras_l4.events import BlockWriter, load
from keras_l4.records.block import StepBlock, Variable

pytestmark = pytest.mark.any_backend

FLOATS = {"gradient_norm": "norm", "gradient_max_abs": "maximum", "zero_fraction": "mean_by_size"}
COUNTS = {"nan_count": "count", "inf_count": "count"}


@st.composite
def variable_tuples(draw):
    shapes = draw(st.lists(array_shapes(min_dims=0, max_dims=3, min_side=0), max_size=4))
    return tuple(
        Variable(f"m/layer_{i // 2}/ü{i}", f"m/layer_{i // 2}", shape, "float32")
        for i, shape in enumerate(shapes)
    )


@st.composite
def block_lists(draw):
    variables = draw(variable_tuples())
    sampled = draw(st.frozensets(st.sampled_from(sorted(FLOATS | COUNTS))))
    out, step = [], draw(st.integers(0, 2**40))
    for num_steps in draw(st.lists(st.integers(1, 5), min_size=1, max_size=3)):
        steps = step + np.cumsum(draw(arrays(np.int64, num_steps, elements=st.integers(1, 3))))
        out.append(draw(step_blocks(variables, sampled, steps)))
        step = steps[-1]
    return out


@st.composite
def step_blocks(draw, variables, sampled_quantities, steps):
    def column(dtype, elements):
        return draw(arrays(dtype, len(steps), elements=elements))

    is_sampled = column(bool, st.booleans())
    numbers = st.floats(width=32)
    layers = len({variable.layer for variable in variables})

    def rows(quantity):
        return int(is_sampled.sum()) if quantity in sampled_quantities else len(steps)

    def values(quantity, num_columns, dtype, elements):
        return draw(arrays(dtype, (rows(quantity), num_columns), elements=elements))

    counts = st.one_of(st.just(0), st.integers(0, 2**31 - 1))
    num = len(variables)
    skipped = column(bool, st.booleans())
    return StepBlock(
        optimizer="adam",
        variables=variables,
        steps=steps,
        iterations=steps - 1,
        epochs=column(np.int64, st.integers(0, 2**40)),
        batches=column(np.int64, st.integers(0, 2**40)),
        learning_rate=column(np.float64, st.floats()),
        loss_scale=column(np.float64, st.floats()),
        skipped=skipped,
        skipped_by_guard=skipped & column(bool, st.booleans()),
        loss=column(np.float64, st.floats()),
        sampled=is_sampled,
        values={q: values(q, num, np.float32, numbers) for q in FLOATS}
        | {q: values(q, num, np.int32, counts) for q in COUNTS},
        layer_values={"zero_fraction": values("zero_fraction", layers, np.float32, numbers)},
        pools=FLOATS | COUNTS,
        sampled_quantities=sampled_quantities,
    )


@settings(max_examples=150)
@given(written=block_lists(), update_freq=st.integers(1, 4))
def test_blocks_read_equal_the_blocks_written(written, update_freq, assert_equal):
    with TemporaryDirectory() as folder, np.errstate(invalid="ignore", over="ignore"):
        with closing(BlockWriter(folder, update_freq=update_freq)) as writer:
            for block in written:
                writer.write(block)
        run = load(folder)
    assert len(run.blocks) == len(written)
    for actual, expected in zip(run.blocks, written, strict=True):
        assert_equal(actual, expected)


def test_float64_beyond_float32_becomes_inf_without_a_warning(tmp_path, make_block):
    block = make_block(1, 2)
    block.values["gradient_norm"] = np.full((2, 3), 1e39)
    with warnings.catch_warnings(action="error"), closing(BlockWriter(tmp_path)) as writer:
        writer.write(block)
    assert np.isinf(load(tmp_path).series("gradient_norm").values).all()
