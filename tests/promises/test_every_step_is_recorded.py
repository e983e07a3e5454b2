"""Every step of the optimizer has a row, with its number, epoch and batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import keras_l4
from keras_l4.callbacks import NonFiniteMonitor
from keras_l4.recorder import capacity
from keras_l4.session import read_schedule
from tests.training import ROWS, STEPS, build, norms, train

several_steps_per_execution = pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="torch has one step per execution"
)


def batches(run: keras_l4.Run) -> list[tuple[int, int, int]]:
    return list(zip(run.steps.tolist(), run.epochs.tolist(), run.batches.tolist(), strict=True))


def expected(epochs: range, batches_per_epoch: int = STEPS) -> list[tuple[int, int, int]]:
    positions = [(epoch, batch) for epoch in epochs for batch in range(batches_per_epoch)]
    return [(step, *position) for step, position in enumerate(positions, start=1)]


@pytest.mark.parametrize("flush_every", [1, 2, 100])
def test_every_step_is_recorded_for_any_flush_every(flush_every: int, tmp_path: Path) -> None:
    train(build(), norms(tmp_path, flush_every=flush_every), epochs=2)

    assert batches(keras_l4.load(tmp_path)) == expected(range(2))


def test_small_model_is_read_when_its_ring_buffers_are_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(capacity, "MIN_FLUSH_EVERY", 2)
    monkeypatch.setattr(capacity, "MAX_FLUSH_EVERY", 2)
    lengths: list[int] = []
    train(build(), norms(hooks=[lambda block: lengths.append(len(block))]), epochs=2)

    assert lengths == [2, 1] * 2


@pytest.mark.parametrize("num_bytes", [0, 500, 2**19])
@pytest.mark.parametrize(("batch_size", "flush_every"), [(8, None), (1, 16), (1, 4)])
def test_no_sample_is_lost_for_any_capacity(
    num_bytes: int, batch_size: int, flush_every: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capacity, "BYTES_PER_BUFFER", num_bytes)
    monkeypatch.setattr(read_schedule, "_PREFETCH_DIVISOR", 4)
    medians: list[np.ndarray] = []
    ours = norms(
        quantities=["effective_learning_rate_p50"],
        every=1,
        flush_every=flush_every,
        hooks=[lambda block: medians.append(block.values["effective_learning_rate_p50"])],
    )
    train(build(keras.optimizers.Adam(0.1)), ours, epochs=2, batch_size=batch_size)

    assert len(np.concatenate(medians)) == 2 * ROWS // batch_size
    assert np.isfinite(np.concatenate(medians)).all()


def test_short_last_batch_is_a_step(tmp_path: Path) -> None:
    train(build(), norms(tmp_path), epochs=2, batch_size=10)

    assert batches(keras_l4.load(tmp_path)) == expected(range(2))


@several_steps_per_execution
@pytest.mark.parametrize("flush_every", [1, 100])
def test_all_steps_of_an_execution_are_recorded_even_if_the_last_is_shorter(
    flush_every: int, tmp_path: Path
) -> None:
    model = build(run_eagerly=False, steps_per_execution=4)
    train(model, norms(tmp_path, flush_every=flush_every), epochs=2, batch_size=4)

    assert batches(keras_l4.load(tmp_path)) == expected(range(2), batches_per_epoch=6)


@several_steps_per_execution
def test_nan_in_the_middle_of_an_execution_has_its_own_step_number() -> None:
    model = build(run_eagerly=False, steps_per_execution=STEPS)
    monitor = NonFiniteMonitor(every=100, verbose=0)
    train(model, monitor, nan_at=1)

    # The weights are NaN after it, and so is the gradient of the next step.
    assert {(event.step, event.batch) for event in monitor.events} == {(2, 1), (3, 2)}


def test_second_fit_continues_the_step_numbers(tmp_path: Path) -> None:
    model = build()
    diagnostics = norms(tmp_path)
    train(model, diagnostics)
    train(model, diagnostics)

    run = keras_l4.load(tmp_path)
    assert run.steps.tolist() == list(range(1, 2 * STEPS + 1))
    assert run.epochs.tolist() == [0] * (2 * STEPS)


def test_initial_epoch_is_recorded(tmp_path: Path) -> None:
    train(build(), norms(tmp_path), initial_epoch=3, epochs=5)

    assert batches(keras_l4.load(tmp_path)) == expected(range(3, 5))


class StopAfter(keras.callbacks.Callback):
    def __init__(self, batch: int) -> None:
        super().__init__()
        self.batch = batch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.model.stop_training = batch == self.batch


def test_early_stop_leaves_the_steps_so_far(tmp_path: Path) -> None:
    train(build(), norms(tmp_path), StopAfter(1), epochs=2)

    assert batches(keras_l4.load(tmp_path)) == [(1, 0, 0), (2, 0, 1)]


def test_generator_of_unknown_length_is_recorded(tmp_path: Path) -> None:
    x, y = np.ones((8, 3)), np.ones((8, 1))
    model = build()
    model.fit(((x, y) for _ in range(4)), verbose=0, callbacks=[norms(tmp_path)])

    assert batches(keras_l4.load(tmp_path)) == expected(range(1), batches_per_epoch=4)


def test_iterations_continue_those_of_an_unrecorded_fit(tmp_path: Path) -> None:
    model = build()
    train(model)
    train(model, norms(tmp_path))

    run = keras_l4.load(tmp_path)
    # Keras counted the first fit, which was not recorded: step numbers continue after it.
    assert run.iterations.tolist() == list(range(STEPS, 2 * STEPS))
    assert run.steps.tolist() == list(range(STEPS + 1, 2 * STEPS + 1))
    assert not run.skipped.any()
