"""On JAX the weights from before an update are kept, and cost nothing where nobody reads them."""

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

pytestmark = pytest.mark.skipif(keras.backend.backend() != "jax", reason="only there they are kept")

SHAPE = (64, 64)
# Those whose rate does not need the update of every step.
OPTIMIZERS = ["SGD", "Adagrad", "RMSprop", "Adam", "AdamW", "Nadam", "Adamax", "Adadelta"]


class WithFlags(keras.optimizers.Adam):
    """Keeps scalars that have no bits to be looked at."""

    def build(self, variables: Any) -> None:
        super().build(variables)
        for dtype in ("bool", "uint8", "complex64"):
            self.add_variable(shape=(), dtype=dtype, name=dtype)


def kept_by(model: Any) -> list[Any]:
    [recorder] = vars(model)["_keras_l4_trace"].recorders.values()
    return recorder.weights.rings


def compiled(optimizer: Any, quantities: tuple[str, ...]) -> str:
    """The program of a step of an optimizer that is given its state to overwrite."""
    import jax

    weights = keras.Variable(np.ones(SHAPE), dtype="float32", name="w")
    optimizer.build([weights])
    recorder = instrument(optimizer, RecorderConfig(quantities=quantities)).recorder
    with backend.step_state.expose_in_optimizer_variables(recorder.rings):
        state = [weights.value], [v.value for v in optimizer.variables]

        # What is given is matched with what comes out by its place.
        def step(state: Any, gradients: Any) -> Any:
            trainable, own = state
            return optimizer.stateless_apply(own, gradients, trainable)

        lowered = jax.jit(step, donate_argnums=0).lower(state, [np.ones(SHAPE, np.float32)])
        return lowered.compile().as_text()


def copies(program: str) -> int:
    """How often all of the weights are copied, in branches not counted."""
    _, _, entry = program.partition("ENTRY")
    return len(re.findall(r"f32\[(64,64|4096)\]\S* copy\(", entry))


@pytest.fixture
def unkept(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From its call on a copy is made at every step, as on an accelerator."""
    return lambda: monkeypatch.setattr(backend, "kept", lambda variables, optimizer: None)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_no_step_copies_them_that_is_not_sampled(name: str, unkept: Callable[[], None]) -> None:
    make = getattr(keras.optimizers, name)
    assert copies(compiled(make(), ("update_norm",))) == copies(compiled(make(), ("nan_count",)))
    unkept()
    assert copies(compiled(make(), ("update_norm",))) > copies(compiled(make(), ("nan_count",)))


def test_take_as_much_as_the_weights_and_only_if_read() -> None:
    model = build()
    train(model, TrainingDiagnostics(verbose=0))
    assert [ring.shape for ring in kept_by(model)] == [v.shape for v in model.trainable_variables]
    model = build()
    train(model, norms(verbose=0))
    assert kept_by(model) == []


def test_are_given_back_after_fit_and_there_in_the_next() -> None:
    model, numbers = build(), []
    for _ in range(2):
        diagnostics = TrainingDiagnostics(every=2, verbose=0, hooks=[numbers.append])
        train(model, diagnostics)
        assert all(ring._value is None for ring in kept_by(model))
    assert all((block.values["update_norm"] > 0).all() for block in numbers)


def test_leave_nothing_that_cannot_be_copied() -> None:
    diagnostics = TrainingDiagnostics(verbose=0)
    train(build(), diagnostics)
    assert copy.deepcopy(diagnostics).findings == diagnostics.findings


def test_are_what_a_copy_would_be(unkept: Callable[[], None]) -> None:
    def trained() -> tuple[list[np.ndarray], list[Any]]:
        model, blocks = build(keras.optimizers.AdamW(0.1)), []
        train(model, TrainingDiagnostics(every=2, verbose=0, hooks=[blocks.append]), epochs=2)
        return state(model), blocks

    (weights, ours), _ = trained(), unkept()
    plain, theirs = trained()
    assert same(weights, plain)
    for a, b in zip(ours, theirs, strict=True):
        assert same([*a.values.values()], [*b.values.values()])


def test_mind_no_scalar_of_the_optimizer() -> None:
    model = build(WithFlags())
    train(model, TrainingDiagnostics(verbose=0))
    plain = build(WithFlags())
    train(plain)
    assert same(state(model), state(plain))


def test_need_elements() -> None:
    optimizer = keras.optimizers.Adam()
    optimizer.build([keras.Variable(np.ones((0, 3), "float32"))])
    recorder = instrument(optimizer, RecorderConfig()).recorder
    optimizer.apply([keras.ops.zeros((0, 3))])
    assert recorder.weights.rings == []


@pytest.mark.parametrize("recorded", [False, True])
def test_do_not_stand_between_an_update_and_its_rate(recorded: bool) -> None:
    import jax

    optimizer, weights = keras.optimizers.SGD(0.1), keras.Variable(np.ones(4, "float32"))
    optimizer.build([weights])
    rings = instrument(optimizer).recorder.rings if recorded else []
    with backend.step_state.expose_in_optimizer_variables(rings):
        iterations, rate, *rest = [v.value for v in optimizer.variables]

        def moved(rate: Any) -> Any:
            held = [iterations, rate, *rest]
            [after], _ = optimizer.stateless_apply(held, [jax.numpy.ones(4)], [weights.value])
            return after.sum()

        assert jax.jit(jax.grad(moved))(rate) == -4


def test_are_given_back_after_a_loop() -> None:
    model = build()
    model.optimizer.build(model.trainable_variables)
    with keras_l4.watch(model):
        rings = model.optimizer.recorder.weights.rings
        assert all(ring._value is not None for ring in rings)
    assert rings
    assert all(ring._value is None for ring in rings)
