from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from keras_l4.records.block import StepBlock
from tests.optimizers import reference
from tests.optimizers.reference import clip_by_global_norm, clip_by_norm, clip_by_value
from tests.quantities.numpy_reference import REFERENCES, ReferenceStep, concatenate_variables
from tests.recorder.harness import prescribed_model, train

LAYERS = {"a": [(3, 4), (4,)], "b": [(90, 100)]}
SIZES = [12, 4, 9000]
NUM_STEPS = 100
DECAY = keras.optimizers.schedules.ExponentialDecay(0.01, decay_steps=10, decay_rate=0.8)
RATES = [name for name in REFERENCES if "rate" in name or "epsilon" in name]
CHECKED = ["gradient_norm", "clip_factor", *RATES]


def decayed(calls: int) -> float:
    return 0.01 * 0.8 ** (calls / 10)


def reference_options(options: dict[str, Any]) -> dict[str, Any]:
    """Returns the options that change the effective learning rate, for the reference."""
    names = ("rho", "centered", "beta_1", "beta_2", "amsgrad", "initial_accumulator_value")
    own = {k: v for k, v in options.items() if k in (*names, "epsilon")}
    clips = {
        "clipnorm": clip_by_norm,
        "global_clipnorm": clip_by_global_norm,
        "clipvalue": clip_by_value,
    }
    clip = [("clip", clips[k](v)) for k, v in options.items() if k in clips]
    learning_rate = options["learning_rate"]
    return (
        own | dict(clip) | {"learning_rate": decayed if learning_rate is DECAY else learning_rate}
    )


CASES = [
    ("SGD", {"learning_rate": 0.1}),
    ("SGD", {"learning_rate": DECAY, "momentum": 0.9}),
    ("SGD", {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True, "clipnorm": 1.0}),
    ("Adagrad", {"learning_rate": 0.1}),
    ("Adagrad", {"learning_rate": 0.1, "initial_accumulator_value": 0.0, "epsilon": 0.1}),
    ("Adagrad", {"learning_rate": DECAY, "global_clipnorm": 1.0, "weight_decay": 0.01}),
    ("RMSprop", {"learning_rate": 0.1}),
    ("RMSprop", {"learning_rate": 0.1, "rho": 0.8, "momentum": 0.5, "epsilon": 0.05}),
    ("RMSprop", {"learning_rate": 0.1, "centered": True, "epsilon": 0.05}),
    ("RMSprop", {"learning_rate": 0.1, "clipvalue": 0.5, "use_ema": True}),
    ("Adam", {"learning_rate": 0.1}),
    ("Adam", {"learning_rate": 0.1, "beta_1": 0.5, "beta_2": 0.9, "epsilon": 0.2}),
    ("Adam", {"learning_rate": DECAY, "beta_2": 0.5, "amsgrad": True}),
    ("Adam", {"learning_rate": 0.1, "clipnorm": 1.0, "epsilon": 0.001}),
    ("Adam", {"learning_rate": 0.1, "use_ema": True, "ema_overwrite_frequency": 7}),
    ("AdamW", {"learning_rate": 0.1, "weight_decay": 0.1, "global_clipnorm": 1.0}),
    ("Nadam", {"learning_rate": DECAY, "epsilon": 0.2}),
    ("Nadam", {"learning_rate": 0.1, "beta_2": 0.9, "clipvalue": 0.5, "weight_decay": 0.1}),
    ("Adamax", {"learning_rate": 0.1, "beta_2": 0.9, "epsilon": 0.2}),
    ("Adamax", {"learning_rate": DECAY, "beta_1": 0.5, "clipnorm": 1.0}),
    ("Adadelta", {"learning_rate": 1.0}),
    ("Adadelta", {"learning_rate": DECAY, "rho": 0.8, "epsilon": 0.01, "global_clipnorm": 1.0}),
]


def draw_gradients(num_steps: int, seed: int = 0) -> list[list[np.ndarray]]:
    """Draws gradients `[steps][variables]`; each element has a scale of its own."""
    rng = np.random.default_rng(seed)
    scales = [10.0 ** rng.uniform(-3, 0.5, n) for n in SIZES]
    return [
        [(s * rng.standard_normal(len(s))).astype("float32").astype(float) for s in scales]
        for _ in range(num_steps)
    ]


def by_layer(steps: list[list[np.ndarray]]) -> list[np.ndarray]:
    rows = [np.concatenate(step) for step in steps]
    return np.split(np.array(rows), [16], axis=1)


def assert_block_equals(block: StepBlock, expected: list[list[ReferenceStep]]) -> None:
    """Compares every rate of every variable and layer, at every step that measures it."""
    assert len(block) == len(expected)
    assert not block.skipped.any()
    for name in CHECKED:
        rows = [expected[row] for row in block.rows(name)]
        want = [[REFERENCES[name](v) for v in row] for row in rows]
        np.testing.assert_allclose(block.values[name], want, rtol=1e-5, err_msg=name)
        layers = [[concatenate_variables(row[:2]), row[2]] for row in rows]
        want = [[REFERENCES[name](v) for v in row] for row in layers]
        np.testing.assert_allclose(block.series(name).values, want, rtol=1e-5, err_msg=name)


def build_reference(name: str, options: dict[str, Any]) -> reference.Reference:
    optimizer = getattr(reference, name.removesuffix("W"))(**reference_options(options))
    optimizer.build(SIZES)
    return optimizer


@pytest.mark.parametrize(("name", "options"), CASES, ids=range(len(CASES)))
def test_recorded_rates_equal_the_closed_form_for_a_hundred_steps(
    name: str, options: dict[str, Any]
) -> None:
    steps, optimizer = draw_gradients(NUM_STEPS), build_reference(name, options)
    model = prescribed_model(getattr(keras.optimizers, name)(**options), LAYERS)
    block = train(model, by_layer(steps), every=9)
    assert list(block.rows("effective_learning_rate_p50")) == list(range(0, NUM_STEPS, 9))
    assert_block_equals(block, [optimizer.step(g, calls) for calls, g in enumerate(steps)])


def test_recording_can_start_in_the_middle_of_training_and_resume_later() -> None:
    steps, optimizer = draw_gradients(40), build_reference("Adam", {"learning_rate": 0.1})
    expected = [optimizer.step(g, calls) for calls, g in enumerate(steps)]
    model = prescribed_model(keras.optimizers.Adam(0.1), LAYERS)
    x, y = by_layer(steps), np.zeros(10)
    for begin in (0, 20):
        plain, recorded = slice(begin, begin + 10), slice(begin + 10, begin + 20)
        model.fit([g[plain] for g in x], y, batch_size=1, shuffle=False, verbose=0)
        block = train(model, [g[recorded] for g in x], every=7)
        assert list(block.iterations) == list(range(40)[recorded])
        assert_block_equals(block, expected[recorded])
