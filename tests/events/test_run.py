import sys
from contextlib import closing

import numpy as np
import pytest

from keras_l4.events import BlockWriter, Run, load
from keras_l4.records.block import Variable

pytestmark = pytest.mark.any_backend


def write(folder, *blocks):
    with closing(BlockWriter(folder)) as writer:
        for block in blocks:
            writer.write(block)


def test_log_dir_and_its_diagnostics_folder_load_the_same_run(tmp_path, make_block, assert_equal):
    block = make_block(1, 4)
    write(tmp_path / "diagnostics", block)
    for folder in (tmp_path, tmp_path / "diagnostics", str(tmp_path)):
        (loaded,) = load(folder).blocks
        assert_equal(loaded, block)


def test_run_has_the_values_of_its_blocks(tmp_path, make_block):
    blocks = make_block(1, 4), make_block(5, 9, counts={(7, 1): (2, 0)})
    write(tmp_path, *blocks)
    run = load(tmp_path)
    assert run.variables == blocks[0].variables
    assert run.quantities == tuple(sorted(blocks[0].values))
    assert run.steps.tolist() == list(range(1, 14))
    assert run.iterations.tolist() == list(range(13))
    assert run.epochs.tolist() == [0] * 10 + [1] * 3
    assert run.batches.tolist() == [*range(10), 0, 1, 2]
    for name in ("learning_rate", "loss_scale", "loss", "sampled", "skipped"):
        expected = np.concatenate([getattr(block, name) for block in blocks])
        np.testing.assert_array_equal(getattr(run, name), expected, name)
    assert [(event.step, event.variable) for event in run.events] == [(7, "mlp/dense/bias")]
    assert "steps 1 to 13, 3 variables" in repr(run)


@pytest.mark.parametrize("by", ["layer", "variable"])
@pytest.mark.parametrize(
    "quantity", ["gradient_norm", "effective_learning_rate_p50", "weight_norm", "nan_count"]
)
def test_series_concatenates_all_blocks(tmp_path, make_block, by, quantity):
    blocks = [make_block(first, 5, counts={(first, 0): (1, 0)}) for first in (1, 6, 11)]
    write(tmp_path, *blocks)
    series = load(tmp_path).series(quantity, by)
    parts = [block.series(quantity, by) for block in blocks]
    np.testing.assert_array_equal(series.steps, np.concatenate([part.steps for part in parts]))
    np.testing.assert_array_equal(series.values, np.concatenate([part.values for part in parts]))
    assert series.names == parts[0].names


def test_series_rejects_wrong_arguments(make_block):
    run = Run((make_block(),))
    with pytest.raises(KeyError, match=r"'loss' was not recorded\. Recorded: \['effective_"):
        run.series("loss")
    with pytest.raises(ValueError, match="by='neuron'"):
        run.series("gradient_norm", by="neuron")


def test_series_of_a_changed_model_is_nan_for_missing_layers(tmp_path, make_block):
    old = Variable("mlp/old/kernel", "mlp/old", (1,), "float32")
    new = Variable("mlp/new/kernel", "mlp/new", (1,), "float32")
    common = make_block().variables
    write(tmp_path, make_block(1, 2, variables=(old, *common)))
    write(tmp_path, make_block(3, 2, variables=(*common, new)))
    run = load(tmp_path)
    assert run.variables == (*common, new, old)
    norms = run.series("gradient_norm")
    assert norms.names == ("mlp/dense", "mlp/out", "mlp/new", "mlp/old")
    np.testing.assert_array_equal(np.isnan(norms.values), [[0, 0, 1, 0]] * 2 + [[0, 0, 0, 1]] * 2)


def test_series_omits_blocks_without_the_quantity(tmp_path, make_block):
    block = make_block(3, 2)
    del block.values["gradient_norm"]
    write(tmp_path, make_block(1, 2))
    write(tmp_path, block)
    assert load(tmp_path).series("gradient_norm").steps.tolist() == [1, 2]


def test_resumed_run_omits_superseded_steps(tmp_path, make_block):
    write(tmp_path, make_block(1, 4), make_block(5, 4))
    write(tmp_path, make_block(9, 2, iterations=[5, 6]))
    run = load(tmp_path)
    assert run.iterations.tolist() == list(range(7))
    assert run.steps.tolist() == [1, 2, 3, 4, 5, 9, 10]
    assert run.num_superseded == 3


def test_several_optimizers_are_loaded_by_name(tmp_path, make_block):
    for name, size in [("generator", 2), ("discriminator", 3)]:
        write(tmp_path / "diagnostics" / name, make_block(1, size))
    assert len(load(tmp_path, optimizer="generator").steps) == 2
    with pytest.raises(ValueError, match="Leave `optimizer` out"):
        load(tmp_path / "diagnostics" / "generator", optimizer="adam")
    assert len(load(tmp_path / "diagnostics", "discriminator").steps) == 3
    for wrong in (None, "adam"):
        with pytest.raises(ValueError, match=rf"{wrong!r}.*\['discriminator', 'generator'\]"):
            load(tmp_path, wrong)


def test_single_optimizer_is_loaded_with_or_without_its_name(tmp_path, make_block):
    write(tmp_path / "diagnostics" / "adam", make_block(1, 2))
    assert len(load(tmp_path).steps) == len(load(tmp_path, "adam").steps) == 2


def test_file_instead_of_a_folder_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileNotFoundError, match="it is a file, not a folder"):
        load(tmp_path / "file")


def test_log_dir_that_is_no_path_is_an_error():
    with pytest.raises(TypeError, match=r"^log_dir=None: expected a folder, as a string or a path"):
        load(None)


def test_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere.*no such folder"):
        load(tmp_path / "nowhere")


def test_folder_without_a_run_is_an_error(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "events.out.tfevents.1.x").write_bytes(b"other")
    with pytest.raises(
        ValueError,
        match=r"contains no run of keras_l4.*found \['events.out.tfevents.1.x', 'train'\]",
    ):
        load(tmp_path)


def test_error_lists_only_the_first_files(tmp_path):
    for i in range(40):
        (tmp_path / f"file{i:02d}").touch()
    with pytest.raises(ValueError, match=r"'file04'\] and 35 more") as raised:
        load(tmp_path)
    assert "file05" not in str(raised.value)


def test_run_without_flushed_steps_is_an_error(tmp_path):
    write(tmp_path / "diagnostics")
    with pytest.raises(ValueError, match="no step has been flushed"):
        load(tmp_path)


@pytest.mark.parametrize("by", ["layer", "variable"])
def test_dataframe_has_every_value_once(tmp_path, make_block, by):
    write(tmp_path, make_block(1, 7, counts={(2, 0): (3, 0)}))
    run = load(tmp_path)
    frame = run.to_dataframe(by)
    assert list(frame.columns) == ["step", "name", "quantity", "value"]
    assert set(frame["quantity"]) == set(run.quantities)
    for quantity in run.quantities:
        series = run.series(quantity, by)
        wide = frame[frame["quantity"] == quantity].pivot(
            index="step", columns="name", values="value"
        )
        assert wide.index.tolist() == series.steps.tolist()
        np.testing.assert_array_equal(wide[list(series.names)], series.values)


def test_dataframe_without_pandas_is_an_error(make_block, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        Run((make_block(),)).to_dataframe()


def test_error_for_a_folder_of_runs_names_them(tmp_path, make_block):
    write(tmp_path / "runs" / "first" / "diagnostics", make_block(1, 4))
    with pytest.raises(
        ValueError, match=r"contains no run of keras_l4.*Pass one of \['.*/runs/first'\]"
    ):
        load(tmp_path)
