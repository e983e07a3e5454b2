"""Where loss scaling stalls, in blocks of any length."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_l4.callbacks import NonFiniteMonitor
from keras_l4.records.block import StepBlock
from keras_l4.records.loss_scaling import LossScaleStall, StallWatch
from tests.training import build, train


def block_of(skipped: list[bool], scale: list[float], first: int) -> StepBlock:
    steps = np.arange(first, first + len(skipped))
    nothing = np.zeros(len(skipped))
    return StepBlock(
        optimizer="adam",
        variables=(),
        steps=steps,
        iterations=steps - 1,
        epochs=np.zeros(len(skipped), int),
        batches=steps - 1,
        learning_rate=nothing,
        loss_scale=np.array(scale, float),
        skipped=np.array(skipped, bool),
        held=np.zeros(len(skipped), bool),
        loss=nothing,
        sampled=nothing.astype(bool),
        values={},
    )


def stalls(skipped: list[bool], scale: list[float], size: int) -> list[LossScaleStall]:
    watch = StallWatch()
    starts = range(0, len(skipped), size)
    parts = [block_of(skipped[i : i + size], scale[i : i + size], i + 1) for i in starts]
    return [stall for part in parts for stall in watch.observe(part)]


@pytest.mark.parametrize("size", [1, 3, 10, 100])
def test_ten_in_a_row_and_a_scale_below_one(size: int) -> None:
    skipped = [True] * 9 + [False] + [True] * 13 + [False]
    scale = [2.0 ** (2 - max(0, i - 9)) for i in range(24)]
    found = stalls(skipped, scale, size)
    assert [(s.kind, s.step, s.num_skipped) for s in found] == [
        ("scale", 13, 3),
        ("skipped", 20, 10),
    ]
    assert found[0].loss_scale == 0.5
    assert "step 20 (epoch 0, batch 19): 10 steps in a row were skipped" in str(found[1])


def test_each_spell_is_told_once() -> None:
    spell = [True] * 12 + [False]
    found = stalls(spell * 2, [0.5] * 13 + [1.0] + [0.25] * 12, 5)
    assert [(s.kind, s.step) for s in found] == [
        ("scale", 1),
        ("skipped", 10),
        ("scale", 15),
        ("skipped", 23),
    ]


def scaled(scale: float) -> keras.optimizers.LossScaleOptimizer:
    return keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.01), initial_scale=scale)


def test_fit_counts_skipped_steps_and_tells_a_stall(capsys: pytest.CaptureFixture[str]) -> None:
    # All gradients are NaN: every step is skipped, and Keras says nothing.
    monitor = NonFiniteMonitor()
    model = build(scaled(4.0))
    rows = np.full((24, 3), np.nan, "float32")
    logs = model.fit(
        rows, np.zeros((24, 1)), batch_size=8, epochs=4, verbose=0, callbacks=[monitor]
    ).history

    assert logs["num_skipped_steps"] == [3, 3, 3, 3]
    assert logs["num_nonfinite"] == [3, 3, 3, 3]
    assert [(s.kind, s.step) for s in monitor.stalls] == [("scale", 4), ("skipped", 10)]
    assert {e.skipped for e in monitor.events} == {True}
    told = [line for line in capsys.readouterr().out.splitlines() if "keras_l4" in line]
    assert ["the loss scale fell to 0.5" in told[0], "10 steps in a row" in told[1]] == [True] * 2
    assert len(told) == 2


@pytest.mark.parametrize("action", ["stop", "raise"])
def test_an_overflow_that_was_skipped_ends_nothing(action: str) -> None:
    monitor = NonFiniteMonitor(action=action, verbose=0)
    history = train(build(scaled(2.0**15)), monitor, nan_at=1, epochs=2)

    assert history.history["num_skipped_steps"] == [1, 1]
    assert len(monitor.events) == 8
    assert str(monitor.events[0]).endswith("kernel; skipped, at a loss scale of 32768")


def test_without_loss_scaling_the_logs_say_nothing_of_it() -> None:
    assert "num_skipped_steps" not in train(build(), NonFiniteMonitor()).history
