"""On JAX the pre-update weights have a buffer, and cost nothing on steps that do not read them."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

import keras_l4
from keras_l4 import backend
from keras_l4.callbacks import TrainingDiagnostics
from keras_l4.optimizers import instrument
from keras_l4.recorder.config import RecorderConfig
from tests.training import build, norms, same, state, train

pytestmark = pytest.mark.skipif(keras.backend.backend() != "jax", reason="only JAX needs a buffer")

SHAPE = (64, 64)
# Optimizers with a closed form: their rate does not read the update of every step.
OPTIMIZERS = ["SGD", "Adagrad", "RMSprop", "Adam", "AdamW", "Nadam", "Adamax", "Adadelta"]


class AdamWithScalars(keras.optimizers.Adam):
    """Adam with scalar variables of dtypes that the weight buffer has to leave alone."""

    def build(self, variables: Any) -> None:
        super().build(variables)
        for dtype in ("bool", "uint8", "complex64"):
            self.add_variable(shape=(), dtype=dtype, name=dtype)


def weight_rings(model: Any) -> list[Any]:
    [recorder] = vars(model)["_keras_l4_fit"].recorders.values()
    return recorder.pre_update_weights.rings


def compiled_step(optimizer: Any, quantities: tuple[str, ...]) -> str:
    """Returns the XLA program of a step whose arguments are donated, as in the JAX trainer."""
    import jax

    weights = keras.Variable(np.ones(SHAPE), dtype="float32", name="w")
    optimizer.build([weights])
    recorder = instrument(optimizer, RecorderConfig(quantities=quantities)).recorder
    with backend.step_state.expose_in_optimizer_variables(recorder.rings):
        state = [weights.value], [v.value for v in optimizer.variables]

        # XLA matches a donated argument with the output at the same position.
        def step(state: Any, gradients: Any) -> Any:
            trainable, own = state
            return optimizer.stateless_apply(own, gradients, trainable)

        lowered = jax.jit(step, donate_argnums=0).lower(state, [np.ones(SHAPE, np.float32)])
        return lowered.compile().as_text()


def num_copies(program: str) -> int:
    """Returns how often all weights are copied, outside of branches."""
    _, _, entry = program.partition("ENTRY")
    return len(re.findall(r"f32\[(64,64|4096)\]\S* copy\(", entry))


@pytest.fixture
def without_buffer(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """After its call there is no buffer: weights are copied at every step, as on an accelerator."""
    return lambda: monkeypatch.setattr(
        backend.step_state, "create_weight_buffer", lambda variables, optimizer: None
    )


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_unsampled_step_does_not_copy_the_weights(
    name: str, without_buffer: Callable[[], None]
) -> None:
    make = getattr(keras.optimizers, name)
    assert num_copies(compiled_step(make(), ("update_norm",))) == num_copies(
        compiled_step(make(), ("nan_count",))
    )
    without_buffer()
    assert num_copies(compiled_step(make(), ("update_norm",))) > num_copies(
        compiled_step(make(), ("nan_count",))
    )


def test_buffer_has_the_size_of_the_weights_and_exists_only_if_they_are_read() -> None:
    model = build()
    train(model, TrainingDiagnostics(verbose=0))
    assert [ring.shape for ring in weight_rings(model)] == [
        v.shape for v in model.trainable_variables
    ]
    model = build()
    train(model, norms(verbose=0))
    assert weight_rings(model) == []


def test_buffer_is_freed_after_fit_and_allocated_for_the_next() -> None:
    model, numbers = build(), []
    for _ in range(2):
        diagnostics = TrainingDiagnostics(every=2, verbose=0, hooks=[numbers.append])
        train(model, diagnostics)
        assert all(ring._value is None for ring in weight_rings(model))
    assert all((block.values["update_norm"] > 0).all() for block in numbers)


def test_callback_can_be_deep_copied_after_fit() -> None:
    diagnostics = TrainingDiagnostics(verbose=0)
    train(build(), diagnostics)
    assert copy.deepcopy(diagnostics).findings == diagnostics.findings


def test_buffer_gives_the_same_numbers_as_a_copy(without_buffer: Callable[[], None]) -> None:
    def trained() -> tuple[list[np.ndarray], list[Any]]:
        model, blocks = build(keras.optimizers.AdamW(0.1)), []
        train(model, TrainingDiagnostics(every=2, verbose=0, hooks=[blocks.append]), epochs=2)
        return state(model), blocks

    weights, with_buffer = trained()
    without_buffer()
    plain, copied = trained()
    assert same(weights, plain)
    for a, b in zip(with_buffer, copied, strict=True):
        assert same([*a.values.values()], [*b.values.values()])


def test_scalars_of_the_optimizer_do_not_change() -> None:
    model = build(AdamWithScalars())
    train(model, TrainingDiagnostics(verbose=0))
    plain = build(AdamWithScalars())
    train(plain)
    assert same(state(model), state(plain))


def test_variables_without_elements_have_no_buffer() -> None:
    optimizer = keras.optimizers.Adam()
    optimizer.build([keras.Variable(np.ones((0, 3), "float32"))])
    recorder = instrument(optimizer, RecorderConfig()).recorder
    optimizer.apply([keras.ops.zeros((0, 3))])
    assert recorder.pre_update_weights.rings == []


@pytest.mark.parametrize("recorded", [False, True])
def test_update_is_differentiable_in_the_learning_rate(recorded: bool) -> None:
    import jax

    optimizer, weights = keras.optimizers.SGD(0.1), keras.Variable(np.ones(4, "float32"))
    optimizer.build([weights])
    rings = instrument(optimizer).recorder.rings if recorded else []
    with backend.step_state.expose_in_optimizer_variables(rings):
        iterations, rate, *others = [v.value for v in optimizer.variables]

        def updated_sum(rate: Any) -> Any:
            own = [iterations, rate, *others]
            [after], _ = optimizer.stateless_apply(own, [jax.numpy.ones(4)], [weights.value])
            return after.sum()

        assert jax.jit(jax.grad(updated_sum))(rate) == -4


def test_buffer_is_freed_after_a_loop() -> None:
    model = build()
    model.optimizer.build(model.trainable_variables)
    with keras_l4.watch(model):
        rings = model.optimizer.recorder.pre_update_weights.rings
        assert all(ring._value is not None for ring in rings)
    assert rings
    assert all(ring._value is None for ring in rings)
