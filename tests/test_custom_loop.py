"""watch: custom training loops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

import keras_l4
from keras_l4.optimizers import instrument
from keras_l4.recorder.config import RecorderConfig
from tests import loops
from tests.training import BATCH, ROWS, build, norms, rows, same, train

ON = keras.backend.backend()


def batches(nan_at: int | None = None) -> loops.Batches:
    x, y = rows(nan_at)
    starts = range(0, ROWS, BATCH)
    return [(x[i : i + BATCH], y[i : i + BATCH]) for i in starts] * 3


def model_and_optimizer() -> tuple[Any, Any]:
    """Returns a model that is not compiled, and its optimizer; the same each time."""
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(0)
    dense = keras.layers.Dense
    model = keras.Sequential([keras.Input((3,)), dense(2), dense(1)])
    optimizer = keras.optimizers.Adam(0.01)
    optimizer.build(model.trainable_variables)
    return model, optimizer


def values(model: Any, optimizer: Any) -> list[np.ndarray]:
    return [np.array(ops.convert_to_numpy(v)) for v in [*model.weights, *optimizer.variables]]


def ignore(*_: Any) -> None:
    """The `on_step` of a loop that does not call `step`."""


@pytest.mark.parametrize("jit", [False, True] if ON == "tensorflow" else [True])
def test_a_loop_is_recorded_and_its_weights_are_unchanged(jit: bool, tmp_path: Path) -> None:
    model, optimizer = model_and_optimizer()
    losses: list[float] = []
    loops.run(
        model,
        optimizer,
        batches(),
        lambda loss, _: losses.append(float(ops.convert_to_numpy(loss))),
        jit,
    )
    plain = values(model, optimizer)

    model, optimizer = model_and_optimizer()
    with keras_l4.watch(model, optimizer, tmp_path, flush_every=4, jit_compile=jit) as watched:
        loops.run(model, optimizer, batches(), watched.step, jit)

    assert same(values(model, optimizer), plain)
    assert type(optimizer) is type(keras.optimizers.Adam())
    run = keras_l4.load(tmp_path)
    assert run.steps.tolist() == list(range(1, 10))
    # A step that takes long to compile is read earlier.
    assert max(map(len, run.blocks)) <= 4
    np.testing.assert_allclose(run.loss, losses, rtol=1e-6)
    assert np.isfinite(run.series("effective_learning_rate_p50").values).all()


def test_a_loop_records_what_fit_records(tmp_path: Path) -> None:
    model, optimizer = model_and_optimizer()
    with keras_l4.watch(model, optimizer, tmp_path / "loop", every=2) as watched:
        loops.run(model, optimizer, batches(), watched.step)
    fitted = build(keras.optimizers.Adam(0.01))
    ours = keras_l4.callbacks.TrainingDiagnostics(tmp_path / "fit", every=2)
    train(fitted, ours, epochs=3)

    loop, fit = keras_l4.load(tmp_path / "loop"), keras_l4.load(tmp_path / "fit")
    assert loop.quantities == fit.quantities
    for quantity in fit.quantities:
        np.testing.assert_allclose(
            loop.series(quantity).values, fit.series(quantity).values, rtol=2e-4, err_msg=quantity
        )


def test_a_nan_is_located_and_raised() -> None:
    model, optimizer = model_and_optimizer()
    with (
        pytest.raises(FloatingPointError, match=r"step 2 .*sequential/dense/kernel"),
        keras_l4.watch(model, optimizer, on_nonfinite="raise", flush_every=2) as watched,
    ):
        loops.run(model, optimizer, batches(nan_at=1), watched.step)

    assert watched.diagnostics.events[0].batch == 1
    assert type(optimizer) is type(keras.optimizers.Adam())


def test_train_on_batch_is_recorded_inside_watch_only() -> None:
    steps: list[int] = []
    model, stock = build(), build()
    for x, y in batches():
        stock.train_on_batch(x, y)
    model.train_on_batch(*batches()[0])
    with keras_l4.watch(model, hooks=[lambda block: steps.extend(block.steps)]) as watched:
        for x, y in batches()[1:]:
            watched.step(model.train_on_batch(x, y))

    assert steps == list(range(2, 10))
    assert same(values(model, model.optimizer), values(stock, stock.optimizer))
    train(model, norms())


def test_two_optimizers_are_recorded_in_one_loop(tmp_path: Path) -> None:
    pairs = [model_and_optimizer(), model_and_optimizer()]
    with (
        keras_l4.watch(*pairs[0], tmp_path / "one") as one,
        keras_l4.watch(*pairs[1], tmp_path / "other") as other,
    ):
        loops.run(*pairs[0], batches(), one.step)
        loops.run(*pairs[1], batches()[:4], other.step)

    assert len(keras_l4.load(tmp_path / "one").steps) == 9
    assert len(keras_l4.load(tmp_path / "other").steps) == 4


def test_two_optimizers_with_the_same_log_dir_are_an_error(tmp_path: Path) -> None:
    one, other = model_and_optimizer(), model_and_optimizer()
    with (
        pytest.raises(ValueError, match="is being written for another optimizer"),
        keras_l4.watch(*one, tmp_path),
        keras_l4.watch(*other, tmp_path),
    ):
        raise AssertionError
    assert type(one[1]) is type(keras.optimizers.Adam())
    assert type(other[1]) is type(keras.optimizers.Adam())


def test_steps_that_were_overwritten_are_reported() -> None:
    model, optimizer = model_and_optimizer()
    lengths: list[int] = []
    with (
        pytest.warns(RuntimeWarning, match="3 steps before row 3 were overwritten"),
        keras_l4.watch(model, optimizer, flush_every=4, hooks=[lambda b: lengths.append(len(b))]),
    ):
        # The loop does not call step(), and the ring buffer holds 6 steps.
        loops.run(model, optimizer, batches(), ignore)
    assert lengths == [6]


def test_a_loop_without_a_recorded_step_is_reported() -> None:
    model, optimizer = model_and_optimizer()
    with (
        pytest.warns(RuntimeWarning, match="watch recorded no step"),
        keras_l4.watch(model, optimizer),
    ):
        pass


def test_a_missing_optimizer_is_an_error() -> None:
    model, _ = model_and_optimizer()
    with pytest.raises(TypeError, match="given no optimizer"), keras_l4.watch(model):
        raise AssertionError


def test_a_missing_model_is_an_error() -> None:
    with (
        pytest.raises(TypeError, match=r"model=None .* expected a keras\.Model"),
        keras_l4.watch(None),
    ):
        raise AssertionError


@pytest.mark.skipif(ON != "jax", reason="only on JAX the ring buffers are optimizer variables")
class TestJax:
    def test_variables_read_before_watch_are_an_error(self) -> None:
        model, optimizer = model_and_optimizer()
        early = [v.value for v in optimizer.variables]
        weights = [v.value for v in model.trainable_variables]
        with (
            pytest.raises(
                ValueError, match=r"Read optimizer.variables inside `with keras_l4.watch"
            ),
            keras_l4.watch(model, optimizer),
        ):
            optimizer.stateless_apply(early, weights, weights)

    def test_an_optimizer_that_is_not_built_is_an_error(self) -> None:
        model = keras.Sequential([keras.layers.Dense(1)])
        with (
            pytest.raises(ValueError, match=r"optimizer.build\(model.trainable_variables\)"),
            keras_l4.watch(model, keras.optimizers.Adam()),
        ):
            raise AssertionError


@pytest.mark.skipif(ON != "torch", reason="only torch records a graph in eager mode")
@pytest.mark.parametrize("every", [1, 10])
def test_ring_buffers_require_no_gradient_in_a_loop_without_no_grad(every: int) -> None:
    optimizer, weights = keras.optimizers.Adam(), keras.Variable(np.ones(4, "float32"))
    optimizer.build([weights])
    instrument(optimizer, RecorderConfig(every=every))
    for _ in range(2):
        optimizer.apply([ops.ones(4)])
    assert weights.value.requires_grad
    assert not any(ring.value.requires_grad for ring in optimizer.recorder.rings)
