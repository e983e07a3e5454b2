"""Session: what callbacks share during one `fit`."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

import keras_l4
from keras_l4.callbacks import (
    EffectiveLearningRates,
    FlightRecorder,
    GradientNorms,
    NonFiniteMonitor,
)
from keras_l4.session import read_schedule
from tests.training import STEPS, build, event_files, norms, rows, same, state, train


class TestSeveralCallbacks:
    def test_several_callbacks_share_a_recorder_and_an_event_file(self, tmp_path: Path) -> None:
        monitor = NonFiniteMonitor(verbose=0)
        rates = EffectiveLearningRates(tmp_path)
        train(build(), GradientNorms(tmp_path), monitor, rates, nan_at=1)

        assert len(event_files(tmp_path)) == 1
        run = keras_l4.load(tmp_path)
        assert len(run.steps) == STEPS
        requested = {*GradientNorms.quantities, *EffectiveLearningRates.quantities}
        assert requested <= set(run.quantities)
        assert [event.step for event in monitor.events] == [2] * 4 + [3] * 4

    def test_the_smallest_intervals_are_used(self, tmp_path: Path) -> None:
        lengths: list[int] = []
        counting = norms(flush_every=2, hooks=[lambda block: lengths.append(len(block))])
        train(build(), norms(tmp_path, every=3), norms(every=2, flush_every=50), counting, epochs=2)

        assert lengths == [2, 1, 2, 1]
        assert keras_l4.load(tmp_path).sampled.tolist() == [True, False] * STEPS

    @pytest.mark.parametrize(("on_nonfinite", "lengths"), [("warn", [15, 9]), ("stop", [16, 8])])
    def test_rows_are_requested_ahead_unless_a_callback_may_stop_training(
        self, on_nonfinite: Any, lengths: list[int], tmp_path: Path
    ) -> None:
        read: list[tuple[int, int]] = []
        batches = [0]
        counting = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: batches.append(batch + 1)
        )
        hook = lambda block: read.append((len(block), batches[-1]))  # noqa: E731
        train(
            build(),
            counting,
            norms(tmp_path, flush_every=16, hooks=[hook]),
            NonFiniteMonitor(on_nonfinite=on_nonfinite),
            batch_size=1,
        )

        assert read == list(zip(lengths, (16, 24), strict=True))
        assert keras_l4.load(tmp_path).steps.tolist() == list(range(1, 25))

    def test_rows_are_not_requested_ahead_beside_a_flight_recorder(self, tmp_path: Path) -> None:
        read: list[int] = []
        ours = norms(flush_every=16, hooks=[lambda block: read.append(len(block))])
        train(build(), ours, FlightRecorder(tmp_path, verbose=0), batch_size=1)

        assert read == [16, 8]

    @pytest.mark.parametrize(("seconds", "lengths"), [(5, [1] * STEPS), (11, [2, 1])])
    def test_steps_are_read_after_some_seconds(
        self, monkeypatch: pytest.MonkeyPatch, seconds: int, lengths: list[int]
    ) -> None:
        now = [0]
        # A step takes 5 seconds.
        slow = keras.callbacks.LambdaCallback(
            on_train_batch_begin=lambda batch, logs: now.append(now[-1] + 5)
        )
        monkeypatch.setattr(read_schedule, "SECONDS_BETWEEN_READS", seconds)
        monkeypatch.setattr(read_schedule, "time", SimpleNamespace(monotonic=lambda: now[-1]))
        read: list[int] = []
        train(build(), slow, norms(hooks=[lambda block: read.append(len(block))]))

        assert read == lengths

    def test_requested_and_later_steps_are_read_after_some_seconds(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = [0]
        slow = keras.callbacks.LambdaCallback(
            on_train_batch_begin=lambda batch, logs: now.append(now[-1] + 1)
        )
        # Twelve steps are requested, and two more have run when the time is up.
        monkeypatch.setattr(read_schedule, "_PREFETCH_DIVISOR", 4)
        monkeypatch.setattr(read_schedule, "SECONDS_BETWEEN_READS", 15)
        monkeypatch.setattr(read_schedule, "time", SimpleNamespace(monotonic=lambda: now[-1]))
        read: list[int] = []
        ours = norms(flush_every=16, hooks=[lambda block: read.append(len(block))])
        train(build(), slow, ours, batch_size=1)

        assert read == [12, 2, 10]

    def test_callbacks_with_different_log_dirs_are_an_error(self, tmp_path: Path) -> None:
        model = build()
        one, other = tmp_path / "one", tmp_path / "other"
        with pytest.raises(ValueError, match="log_dir") as raised:
            train(model, GradientNorms(one), NonFiniteMonitor(other))

        assert str(one) in str(raised.value)
        assert str(other) in str(raised.value)
        assert not event_files(tmp_path)
        assert type(model.optimizer) is type(keras.optimizers.Adam())

    @pytest.mark.parametrize("name", ["include", "exclude"])
    def test_callbacks_with_different_patterns_are_an_error(self, name: str) -> None:
        with pytest.raises(ValueError, match=name) as raised:
            train(build(), norms(**{name: "kernel"}), norms(**{name: "bias"}))
        assert "'kernel'" in str(raised.value)
        assert "'bias'" in str(raised.value)

    def test_a_callback_that_is_listed_twice_is_used_once(self, tmp_path: Path) -> None:
        twice = norms(tmp_path)
        train(build(), twice, twice)

        assert len(keras_l4.load(tmp_path).steps) == STEPS


class TestOtherMethods:
    @pytest.mark.parametrize("method", ["evaluate", "predict"])
    def test_evaluate_and_predict_do_not_instrument_the_optimizer(
        self, method: str, tmp_path: Path
    ) -> None:
        model = build()
        types: list[type] = []
        observer = keras.callbacks.LambdaCallback()
        observer.on_test_batch_end = lambda *_, **__: types.append(type(model.optimizer))
        observer.on_predict_batch_end = observer.on_test_batch_end
        x, y = rows()
        data = (x, y) if method == "evaluate" else (x,)
        getattr(model, method)(*data, verbose=0, callbacks=[norms(tmp_path), observer])

        assert set(types) == {type(keras.optimizers.Adam())}
        assert not event_files(tmp_path)

    def test_a_callback_given_to_evaluate_does_not_record_the_next_fit(
        self, tmp_path: Path
    ) -> None:
        model = build()
        x, y = rows()
        model.evaluate(x, y, verbose=0, callbacks=[norms(tmp_path / "evaluate")])
        train(model, norms(tmp_path / "fit"))

        assert not event_files(tmp_path / "evaluate")
        assert len(keras_l4.load(tmp_path / "fit").steps) == STEPS

    def test_validation_is_not_recorded(self, tmp_path: Path) -> None:
        model = build()
        history = train(model, norms(tmp_path), epochs=2, validation_data=rows())

        assert len(history.history["val_loss"]) == 2
        assert len(keras_l4.load(tmp_path).steps) == 2 * STEPS


def test_hooks_receive_the_blocks_that_are_written(tmp_path: Path) -> None:
    blocks: list[keras_l4.StepBlock] = []
    train(build(), norms(tmp_path, flush_every=2, hooks=[blocks.append]), epochs=2)

    assert all(isinstance(block, keras_l4.StepBlock) for block in blocks)
    written = keras_l4.load(tmp_path).blocks
    assert [block.steps.tolist() for block in blocks] == [b.steps.tolist() for b in written]
    for block, read in zip(blocks, written, strict=True):
        assert np.array_equal(block.values["gradient_norm"], read.values["gradient_norm"])


class Subclassed(keras.Model):
    """Is built by its first batch, and so is its optimizer."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = keras.layers.Dense(1)

    def call(self, x: Any) -> Any:
        return self.dense(x)


@pytest.mark.parametrize("run_eagerly", {False, keras.backend.backend() == "tensorflow"})
def test_a_model_built_by_its_first_batch_is_recorded_from_that_batch_on(
    run_eagerly: bool, tmp_path: Path
) -> None:
    model = Subclassed()
    model.compile("adam", "mse", run_eagerly=run_eagerly)
    train(model, norms(tmp_path), epochs=2)

    run = keras_l4.load(tmp_path)
    assert run.steps.tolist() == list(range(1, 2 * STEPS + 1))
    assert run.epochs.tolist() == [0] * STEPS + [1] * STEPS
    assert run.batches.tolist() == [*range(STEPS)] * 2


def test_two_models_are_recorded_in_turn(tmp_path: Path) -> None:
    one, other = build(), build(layers=[keras.layers.Dense(1)])
    ours = norms(tmp_path / "one"), norms(tmp_path / "other")
    for _ in range(2):
        train(one, ours[0])
        train(other, ours[1])

    first, second = keras_l4.load(tmp_path / "one"), keras_l4.load(tmp_path / "other")
    assert len(first.steps) == len(second.steps) == 2 * STEPS
    assert (len(first.variables), len(second.variables)) == (4, 2)


def test_one_callback_records_two_models_in_turn() -> None:
    steps: list[int] = []
    ours = norms(hooks=[lambda block: steps.extend(block.steps)])
    train(build(), ours)
    train(build(layers=[keras.layers.Dense(1)]), ours)

    assert steps == [1, 2, 3, 1, 2, 3]


def test_several_callbacks_do_not_change_the_weights() -> None:
    stock, watched = build(), build()
    train(stock, epochs=2)
    train(watched, GradientNorms(), EffectiveLearningRates(), NonFiniteMonitor(), epochs=2)

    assert same(state(watched), state(stock))
