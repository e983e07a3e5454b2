"""watch: recording in a training loop of the user's own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Unpack

import keras

from keras_l4 import keras_internals
from keras_l4.callbacks.training_diagnostics import TrainingDiagnostics
from keras_l4.observers.base import Action
from keras_l4.session.circuit_breaker import warn
from keras_l4.session.config import SessionConfig
from keras_l4.session.loop import LoopInstrumentation
from keras_l4.session.options import LoopArguments
from keras_l4.session.session import Session


class Watch:
    """A loop that is being watched; `watch` makes it.

    Attributes:
        diagnostics: Has the `events` and the `findings` by now.
    """

    def __init__(
        self, session: Session, loop: LoopInstrumentation, diagnostics: TrainingDiagnostics
    ) -> None:
        self.diagnostics = diagnostics
        self.num_steps = 0
        self._session, self._loop = session, loop

    def step(self, loss: Any = None, optimizer_variables: Sequence[Any] = ()) -> None:
        """Says that a step was taken; reads what was recorded, where it is time.

        Args:
            loss: The loss of the step, a scalar, to be recorded with it.
            optimizer_variables: On JAX the state that the loop carries: what `stateless_apply`
                returned.
        """
        self._loop.take(optimizer_variables)
        if loss is not None:
            self._session.end_batch(self.num_steps, float(keras.ops.convert_to_numpy(loss)))
        self.num_steps += 1
        self._session.begin_batch()


@contextmanager
def watch(
    model: keras.Model,
    optimizer: Any = None,
    log_dir: str | os.PathLike[str] | None = None,
    *,
    quantities: Sequence[str] | None = None,
    action: Action = "warn",
    jit_compile: bool | None = None,
    **options: Unpack[LoopArguments],
) -> Iterator[Watch]:
    """Records the steps of a loop that does not call `fit`, for as long as the context lasts.

    A `tf.function` or `jax.jit` that was traced before does not record: make it inside. On JAX
    the rings travel with the optimizer's state: read `optimizer.variables` inside, and hand
    `step` what `stateless_apply` returned.

    Args:
        model: The model that is trained, compiled or not.
        optimizer: The one that trains it; None means `model.optimizer`.
        log_dir: Event files go to `<log_dir>/diagnostics`; None writes none.
        quantities: Names to record; None for all of them.
        action: What to do about NaN and Inf, as in `NonFiniteMonitor`; `"stop"` sets
            `model.stop_training`, for the loop to look at.
        jit_compile: Whether XLA compiles the step; None means as `model.compile` was told.
        **options: Those of `TrainingDiagnostics`.

    Yields:
        A `Watch`, whose `step()` is to be called after each step. Without it the last
        `flush_every` steps are read when the context ends, and a warning tells the others.

    Raises:
        TypeError: `model` is no Keras model; there is no optimizer, or it is none of Keras'.
        ValueError: On JAX, neither the optimizer nor the model is built.

    Example:

    >>> import keras
    >>> weight = keras.Variable([1.0, -2.0])
    >>> model = keras.Sequential()
    >>> optimizer = keras.optimizers.SGD(0.1)
    >>> optimizer.build([weight])
    >>> blocks = []
    >>> if keras.backend.backend() != "jax":
    ...     with watch(model, optimizer, hooks=[blocks.append]) as watched:
    ...         for _ in range(3):
    ...             optimizer.apply([2 * weight], [weight])
    ...             watched.step()
    ...     assert len(blocks[0]) == 3
    """
    keras_internals.check_model(model)
    if optimizer is None and not model.compiled:
        raise TypeError(
            "watch was given no optimizer, and the model is not compiled with one. Pass the one "
            "that your loop calls: watch(model, optimizer)."
        )
    diagnostics = TrainingDiagnostics(log_dir, quantities, action, optimizer=optimizer, **options)
    watched = diagnostics.meet(model)
    loop = LoopInstrumentation(model, watched)
    plan = SessionConfig.of(
        [diagnostics.options],
        name="",
        steps_per_execution=1,
        xla=bool(model.compiled and model.jit_compile) if jit_compile is None else jit_compile,
    )
    session = Session(plan, model, watched, loop, [diagnostics])
    session.begin_epoch(0)
    diagnostics.begin_epoch()
    session.begin_batch()
    try:
        yield Watch(session, loop, diagnostics)
        session.finish()
    finally:
        session.close()
    if not session.saw_steps:
        warn(
            "watch saw no step. A tf.function or jax.jit that was traced before does not record: "
            "make it inside of the context. On JAX, call step() with what stateless_apply returned."
        )
