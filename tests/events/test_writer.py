import subprocess
import sys
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from tensorboard.util.tensor_util import make_ndarray

from keras_l4.events import BlockWriter, load
from keras_l4.events.reader import event_files, read_events
from keras_l4.records.block import Variable

pytestmark = pytest.mark.any_backend


def written_events(folder):
    return [event for path in event_files(folder) for event in read_events(path)]


def values_of(folder, tag):
    return {
        event.step: make_ndarray(value.tensor)
        for event in written_events(folder)
        for value in event.summary.value
        if value.tag == tag
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"update_freq": 0}, "update_freq=0: expected an integer"),
        ({"update_freq": "epoch"}, "update_freq='epoch'"),
        ({"by": "neuron"}, 'by=\'neuron\': expected "layer" or "variable"'),
    ],
)
def test_wrong_argument_creates_no_folder(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        BlockWriter(tmp_path / "run", **arguments)
    assert not (tmp_path / "run").exists()


def test_first_event_is_the_file_version(tmp_path):
    BlockWriter(tmp_path).close()
    assert [event.file_version for event in written_events(tmp_path)] == ["brain.Event:2"]


def test_there_is_one_event_per_step_and_steps_increase(tmp_path, make_block):
    with closing(BlockWriter(tmp_path, update_freq=2)) as writer:
        for first, size in [(1, 5), (6, 1), (7, 9), (16, 4)]:
            writer.write(make_block(first, size))
    steps = [event.step for event in written_events(tmp_path)][1:]
    assert steps == sorted(set(steps))
    assert {5, 6, 15, 19} < set(steps)


def test_only_the_first_event_of_a_tag_in_each_file_has_metadata(tmp_path, make_block):
    for start in (1, 11):
        with closing(BlockWriter(tmp_path, update_freq=1)) as writer:
            writer.write(make_block(start, 5))
            writer.write_histograms(start + 4, {"weights": np.arange(3.0)})
            writer.write(make_block(start + 5, 5, counts={(start + 5, 0): (1, 0)}))
            writer.write_histograms(start + 9, {"weights": np.arange(3.0)})
    for path in event_files(tmp_path):
        described = set()
        for event in read_events(path):
            for value in event.summary.value:
                assert value.HasField("metadata") == (value.tag not in described), value.tag
                described.add(value.tag)
        assert {"weights", "global/loss"} < described


def test_zero_counts_are_written_in_the_first_block_only(tmp_path, make_block):
    with closing(BlockWriter(tmp_path)) as writer:
        for first in (1, 5, 9):
            writer.write(make_block(first, 4, counts={(6, 2): (3, 0)} if first == 5 else {}))
    assert list(values_of(tmp_path, "variable/nan_count/000000000001")) == [4, 8]
    assert list(values_of(tmp_path, "variable/inf_count/000000000001")) == [4]
    assert values_of(tmp_path, "variable/nan_count/000000000001")[8].dtype == np.int32
    assert load(tmp_path).series("nan_count").values.sum() == 3


def test_count_beyond_int32_is_exact(tmp_path, make_block):
    huge = (Variable("e/embedding", "e", (2**16, 2**16), "float32"),)
    block = make_block(1, 1, variables=huge)
    block.values["nan_count"].resize(1, 1)
    block = replace(block, values={**block.values, "nan_count": np.array([[2**32]])})
    with closing(BlockWriter(tmp_path)) as writer:
        writer.write(block)
    assert load(tmp_path).series("nan_count").values == [[2**32]]


def test_close_writes_the_nonfinite_counts_of_the_last_window(tmp_path, make_block):
    writer = BlockWriter(tmp_path, update_freq=50)
    writer.write(make_block(1, 4, counts={(3, 0): (2, 1)}))
    writer.close()
    writer.close()
    assert values_of(tmp_path, "nonfinite/mlp/dense") == {1: 0, 4: 3}
    assert values_of(tmp_path, "global/nonfinite") == {1: 0, 4: 3}


def test_block_is_readable_before_close(tmp_path, make_block):
    with closing(BlockWriter(tmp_path)) as writer:
        writer.write(make_block(1, 3))
        assert load(tmp_path).steps.tolist() == [1, 2, 3]


def test_empty_block_writes_nothing(tmp_path, make_block):
    with closing(BlockWriter(tmp_path)) as writer:
        writer.write(make_block(1, 0))
    assert len(written_events(tmp_path)) == 1


def test_decreasing_steps_are_an_error(tmp_path, make_block):
    with closing(BlockWriter(tmp_path)) as writer:
        writer.write(make_block(1, 4))
        with pytest.raises(ValueError, match=r"begins at step 4, but steps up to 4"):
            writer.write(make_block(4, 4))
        with pytest.raises(ValueError, match=r"step=3: steps up to 4"):
            writer.write_histograms(3, {"weights": np.arange(3.0)})


def test_changed_variables_are_an_error(tmp_path, make_block):
    with closing(BlockWriter(tmp_path)) as writer:
        block = make_block(1, 4)
        writer.write(block)
        with pytest.raises(ValueError, match="Use a new BlockWriter"):
            writer.write(make_block(5, 4, variables=block.variables[::-1]))


def test_nonfinite_histogram_is_an_error(tmp_path):
    writer = BlockWriter(tmp_path)
    with closing(writer), pytest.raises(ValueError, match=r"'weights': 2 of 3 values are not"):
        writer.write_histograms(1, {"weights": np.array([1, np.nan, np.inf])})


def test_units_are_written_to_the_file(tmp_path, make_block):
    with closing(BlockWriter(tmp_path, units={"gradient_norm": "furlong"})) as writer:
        writer.write(make_block(1, 1))
    assert b'"unit":"furlong"' in event_files(tmp_path)[0].read_bytes()


def test_file_takes_at_most_40_bytes_per_variable_and_step(tmp_path, make_block):
    """Two floats per step, 13 per tenth step, five of them also per layer; 102 variables."""
    num_steps, block_size = 1000, 64
    variables = tuple(
        Variable(f"sequential/dense_{i}/{name}", f"sequential/dense_{i}", shape, "float32")
        for i in range(51)
        for name, shape in [("kernel", (128, 128)), ("bias", (128,))]
    )
    quantiles = [f"effective_learning_rate_{p}" for p in ("min", "p5", "p50", "p95", "max")]
    sampled = [*quantiles, "weight_norm", "update_norm", "update_ratio", *"abcde"]
    with closing(BlockWriter(tmp_path)) as writer:
        for first in range(1, num_steps + 1, block_size):
            size = min(block_size, num_steps + 1 - first)
            counts = {(first, 0): (1, 0)} if first % 5 == 0 else {}
            block = make_block(first, size, variables=variables, sample_every=10, counts=counts)
            rows = block.values["effective_learning_rate_p50"]
            per_layer = block.layer_values["effective_learning_rate_p50"]
            every_step = ("gradient_norm", "effective_learning_rate", "nan_count", "inf_count")
            values = {name: block.values[name] for name in every_step}
            writer.write(
                replace(
                    block,
                    values=values | dict.fromkeys(sampled, rows),
                    layer_values=dict.fromkeys(quantiles, per_layer),
                    pools={**block.pools, "update_ratio": "update_ratio", "update_norm": "norm"},
                    sampled_quantities=frozenset(sampled),
                )
            )
    (path,) = event_files(tmp_path)
    assert 13.2 < path.stat().st_size / (num_steps * len(variables)) <= 40


def test_writing_and_reading_import_no_framework(tmp_path):
    code = f"""
import sys
import numpy as np
from keras_l4.events import BlockWriter, load, last_step
from keras_l4.records.block import StepBlock, Variable
one = np.ones(1)
block = StepBlock(
    optimizer="sgd", variables=(Variable("a/w", "a", (2,), "float32"),), steps=one.astype(int),
    iterations=one, epochs=one, batches=one, learning_rate=one, loss_scale=one, loss=one,
    skipped=one < 0, skipped_by_guard=one < 0, sampled=one > 0, values={{"gradient_norm": one[:, None]}},
    pools={{"gradient_norm": "norm"}})
writer = BlockWriter({str(tmp_path)!r})
writer.write(block)
writer.write_histograms(1, {{"w": one}})
writer.close()
assert last_step({str(tmp_path)!r}) == len(load({str(tmp_path)!r}).steps) == 1
print(sorted({{"tensorflow", "keras", "jax", "torch"}} & sys.modules.keys()))
"""
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert process.stdout == "[]\n", process.stderr
