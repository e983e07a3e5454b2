"""RecordingCallback: translates the calls of Keras into those of a session."""

from __future__ import annotations

import abc
import os
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import keras

from keras_l4 import backend, keras_internals
from keras_l4.observers.base import Observer
from keras_l4.records.annotations import Annotation
from keras_l4.records.block import By, StepBlock
from keras_l4.rules import Finding
from keras_l4.session.config import SessionConfig
from keras_l4.session.fit import FitInstrumentation
from keras_l4.session.options import Hook, Options, StrPath
from keras_l4.session.session import Session

_pending: WeakKeyDictionary[Any, list[RecordingCallback]] = WeakKeyDictionary()
"""Optimizer to the callbacks that wait for its training to begin."""


class RecordingCallback(keras.callbacks.Callback, abc.ABC):
    """Base class of callbacks that record an optimizer during `fit`.

    A subclass sets `quantities` and passes the observers that receive them. All callbacks on one
    optimizer share a session; the first of them leads it.

    Attributes:
        quantities: Names of the quantities to record.
        on_nonfinite: Reaction to NaN and Inf.
        rules: Names of the rules that the callback evaluates.
        options: The arguments that all callbacks have in common.

    Args:
        log_dir: Directory of the run. Event files go to `<log_dir>/diagnostics`; None writes none.
        observers: Receive every block of recorded steps.
        every: Number of steps between two sampled steps, at which the costlier quantities are
            recorded, too. Suspicious steps are always sampled.
        flush_every: Maximum number of steps between two read-outs of the device, which also
            happen after five seconds and at the end of an epoch. None means 64, or up to 1024
            for a small model.
        update_freq: Number of steps between two points of a scalar in TensorBoard.
        include: Regular expression; only variables whose path it matches are recorded.
        exclude: Regular expression; variables whose path it matches are not recorded.
        by: Whether TensorBoard shows one scalar per `"layer"` or per `"variable"`.
        optimizer: Optimizer to record, if the model has several. None means `model.optimizer`.
        hooks: Callables that receive every `StepBlock`, for custom logging.
        histogram_freq: Number of epochs between two histograms of gradients and weights; 0
            writes none.
        look_at_data: Whether findings may use a small sample of the arrays that `fit` was given,
            and the model's predictions for it.
        verbose: 0 prints nothing. Warnings and errors are not affected.

    Raises:
        TypeError, ValueError, NotADirectoryError, PermissionError: An argument is invalid.
    """

    # Keras may call the batch methods from a thread. This is safe: of the batch methods, only
    # `on_train_batch_begin` reads state, and Keras calls it in order, before JAX donates the state
    # to the step.
    async_safe = True

    quantities: tuple[str, ...]
    on_nonfinite: str = "warn"
    rules: tuple[str, ...] = ()

    def __init__(
        self,
        log_dir: StrPath | None = None,
        observers: Sequence[Observer] = (),
        *,
        every: int = 10,
        flush_every: int | None = None,
        update_freq: int = 50,
        include: str | None = None,
        exclude: str | None = None,
        by: By = "layer",
        optimizer: Any = None,
        hooks: Sequence[Hook] = (),
        histogram_freq: int = 0,
        look_at_data: bool = True,
        verbose: int = 1,
    ) -> None:
        # `fit` calls no callback when it raises. It is wrapped here, and not when this package is
        # imported, so that an import changes nothing in Keras.
        keras_internals.wrap_fit()
        super().__init__()
        self.options = Options(
            log_dir=log_dir,
            every=every,
            flush_every=flush_every,
            update_freq=update_freq,
            include=include,
            exclude=exclude,
            by=by,
            optimizer=optimizer,
            hooks=hooks,
            histogram_freq=histogram_freq,
            look_at_data=look_at_data,
            verbose=verbose,
        )
        self._observers = observers
        self._session: Session | None = None

    @property
    def log_dir(self) -> str | None:
        """Directory of the run, or None."""
        log_dir = self.options.log_dir
        return None if log_dir is None else os.fspath(log_dir)

    @property
    def has_flight_recorder(self) -> bool:
        """True if the callback keeps what a replay of the last steps needs."""
        return False

    @property
    def is_verbose(self) -> bool:
        """True if the callback prints, in this process: of several, only the first one does."""
        return bool(self.options.verbose) and backend.distribution.is_first_process()

    @property
    def is_fit_verbose(self) -> bool:
        """True if `fit` itself prints; False in a custom loop."""
        return bool((self.params or {}).get("verbose"))

    @property
    def scales_loss(self) -> bool:
        """True if dynamic loss scaling may skip steps."""
        return isinstance(self._optimizer, keras.optimizers.LossScaleOptimizer)

    @property
    def skips_updates(self) -> bool:
        """True if updates with non-finite gradients are skipped."""
        return self._session is not None and self._session.skips_updates

    @property
    def wants_annotations(self) -> bool:
        """True if an observer wants annotations."""
        return any(observer.wants_annotations for observer in self._observers)

    def add_annotation(self, annotation: Annotation) -> None:
        """Passes an annotation to the observers that want it."""
        for observer in self._observers:
            if observer.wants_annotations:
                observer.add_annotation(annotation)

    def observe(self, block: StepBlock) -> None:
        """Passes a block of recorded steps to the observers."""
        for observer in self._observers:
            observer.observe(block, self)

    def begin_epoch(self) -> None:
        """Makes the observers reset the statistics of the epoch."""
        for observer in self._observers:
            observer.begin_epoch()

    def broadcast_findings(self, findings: Sequence[Finding]) -> None:
        """Passes the findings so far to all callbacks of the session."""
        for member in self._session.members if self._session else ():
            member.on_findings(findings)

    def on_findings(self, findings: Sequence[Finding]) -> None:
        """Receives the findings so far. Do not read the recorder here: it may be in use."""

    def evaluate_rules(self) -> None:
        """Makes the observers broadcast their findings about the whole run."""
        for observer in self._observers:
            observer.evaluate_rules(self)

    def run_requested_measurements(self) -> None:
        """Takes the measurements that findings have requested, at the end of training."""

    def end_training(self) -> str:
        """Makes the observers report the results of the training; returns them in Markdown."""
        return "\n\n".join(filter(None, [o.end_training(self) for o in self._observers]))

    def print_message(self, message: str) -> None:
        """Prints a line below the progress bar, if the callback is verbose."""
        if self.is_verbose:
            print(f"\nkeras_l4: {message}", flush=True)

    def stop_training(self) -> None:
        """Makes `fit` end after the current batch."""
        self._trained_model.stop_training = True

    def bind_model(self, model: Any) -> Any:
        """Sets the model; returns its optimizer that is to be recorded."""
        super().set_model(model)
        # Keras' `Callback.model` would sync JAX's state, which takes as long as a training step.
        self._trained_model = model
        self._optimizer = self.options.optimizer or model.optimizer
        return self._optimizer

    def set_model(self, model: Any) -> None:
        """Sets the model, and waits for its training together with the other callbacks."""
        if not model.compiled:
            raise ValueError(
                f"{type(self).__name__} was given a model that is not compiled. Call "
                "model.compile(optimizer=..., loss=...) before fit."
            )
        pending = _pending.setdefault(self.bind_model(model), [])
        if self not in pending:
            pending.append(self)
        # If `fit` fails before training begins, the next `fit` must not find them.
        keras_internals.on_fit_exit(self._clear_pending)

    def _clear_pending(self) -> None:
        _pending.pop(self._optimizer, None)

    def on_train_begin(self, logs: Any = None) -> None:
        members = _pending.pop(self._optimizer, [])
        if not members:
            return
        model, optimizer = self._trained_model, self._optimizer
        config = SessionConfig.merge(
            members,
            name="" if optimizer is model.optimizer else optimizer.name,
            steps_per_execution=model.steps_per_execution,
            xla=bool(model.jit_compile),
        )
        session = Session(config, model, optimizer, FitInstrumentation.of_model(model), members)
        for member in members:
            member._session = session

    def on_test_begin(self, logs: Any = None) -> None:
        self._clear_pending()

    on_predict_begin = on_test_begin

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if session := self._session_if_leader():
            session.begin_epoch(epoch)
        self.begin_epoch()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if session := self._session_if_leader():
            session.begin_batch()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if session := self._session_if_leader():
            session.end_batch(batch, (logs or {}).get("loss"))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if session := self._session_if_leader():
            session.end_epoch(epoch, logs or {})
        for observer in self._observers:
            if logs is not None:
                logs.update(observer.epoch_logs())

    def on_train_end(self, logs: Any = None) -> None:
        if session := self._session_if_leader():
            session.finish()

    def _session_if_leader(self) -> Session | None:
        """Returns the session if it is open and this callback is its first member."""
        session = self._session
        if session is None or not session.is_open or session.members[0] is not self:
            return None
        return session
