"""watch: recording in a custom training loop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras

from keras_l4 import keras_internals
from keras_l4.callbacks.training_diagnostics import TrainingDiagnostics
from keras_l4.circuit_breaker import warn
from keras_l4.observers.base import NonFiniteAction
from keras_l4.records.block import By
from keras_l4.session.config import SessionConfig
from keras_l4.session.loop import LoopInstrumentation
from keras_l4.session.options import Hook, StrPath
from keras_l4.session.session import Session


class Watch:
    """A recorded training loop, as `watch` yields it.

    Attributes:
        diagnostics: The callback that records; it has the `events` and the `findings` so far.
        num_steps: Number of calls of `step`.
    """

    def __init__(
        self,
        session: Session,
        instrumentation: LoopInstrumentation,
        diagnostics: TrainingDiagnostics,
    ) -> None:
        self.diagnostics = diagnostics
        self.num_steps = 0
        self._session, self._instrumentation = session, instrumentation

    def step(self, loss: Any = None, optimizer_variables: Sequence[Any] = ()) -> None:
        """Ends a training step; reads the recorded steps if a read-out is due.

        Args:
            loss: Loss of the step, a scalar, to be recorded with it.
            optimizer_variables: On JAX, the optimizer state that `stateless_apply` returned.
        """
        self._instrumentation.adopt_state(optimizer_variables)
        if loss is not None:
            self._session.end_batch(self.num_steps, float(keras.ops.convert_to_numpy(loss)))
        self.num_steps += 1
        self._session.begin_batch()


@contextmanager
def watch(
    model: keras.Model,
    optimizer: Any = None,
    log_dir: StrPath | None = None,
    *,
    quantities: Sequence[str] | None = None,
    on_nonfinite: NonFiniteAction = "warn",
    jit_compile: bool | None = None,
    every: int = 10,
    flush_every: int | None = None,
    update_freq: int = 50,
    include: str | None = None,
    exclude: str | None = None,
    by: By = "layer",
    hooks: Sequence[Hook] = (),
    verbose: int = 1,
) -> Iterator[Watch]:
    """Records the steps of a loop that does not call `fit`, inside a `with` block.

    A `tf.function` or `jax.jit` that was traced before the block does not record: create it
    inside. On JAX the recorded data is part of the optimizer's state: read `optimizer.variables`
    inside the block, and pass the result of `stateless_apply` to `step`.

    Args:
        model: The model that is trained, compiled or not.
        optimizer: The optimizer that trains it. None means `model.optimizer`.
        log_dir: Directory of the run. Event files go to `<log_dir>/diagnostics`; None writes none.
        quantities: Names of the quantities to record. None records all of them.
        on_nonfinite: Reaction to NaN and Inf, as in `NonFiniteMonitor`. `"stop"` sets
            `model.stop_training`, which the loop has to check.
        jit_compile: Whether XLA compiles the step. None means as in `model.compile`.
        every: Number of steps between two sampled steps, at which the costlier quantities are
            recorded, too. Suspicious steps are always sampled.
        flush_every: Maximum number of steps between two read-outs of the device, which also
            happen after five seconds. None means 64, or up to 1024 for a small model.
        update_freq: Number of steps between two points of a scalar in TensorBoard.
        include: Regular expression; only variables whose path it matches are recorded.
        exclude: Regular expression; variables whose path it matches are not recorded.
        by: Whether TensorBoard shows one scalar per `"layer"` or per `"variable"`.
        hooks: Callables that receive every `StepBlock`, for custom logging.
        verbose: 0 prints nothing. Warnings and errors are not affected.

    Yields:
        A `Watch`. Call its `step()` after each step; otherwise only the last steps are read, when
        the block ends, and a warning reports the number of lost ones.

    Raises:
        TypeError: `model` is not a Keras model, or there is no optimizer, or it is not a Keras
            optimizer.
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
            "watch was given no optimizer, and the model is not compiled with one. Pass the "
            "optimizer that the loop uses: watch(model, optimizer)."
        )
    diagnostics = TrainingDiagnostics(
        log_dir,
        quantities,
        on_nonfinite,
        every=every,
        flush_every=flush_every,
        update_freq=update_freq,
        include=include,
        exclude=exclude,
        by=by,
        optimizer=optimizer,
        hooks=hooks,
        verbose=verbose,
    )
    optimizer = diagnostics.bind_model(model)
    instrumentation = LoopInstrumentation(model, optimizer)
    config = SessionConfig.merge(
        [diagnostics],
        name="",
        steps_per_execution=1,
        xla=bool(model.compiled and model.jit_compile) if jit_compile is None else jit_compile,
    )
    session = Session(config, model, optimizer, instrumentation, [diagnostics])
    session.begin_epoch(0)
    diagnostics.begin_epoch()
    session.begin_batch()
    try:
        yield Watch(session, instrumentation, diagnostics)
        session.finish()
    finally:
        session.close()
    if not session.has_read_steps:
        warn(
            "watch recorded no step. A tf.function or jax.jit that was traced before does not "
            "record: create it inside the with block. On JAX, pass the result of stateless_apply "
            "to step()."
        )
