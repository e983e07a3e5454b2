"""RecordingCallback: when Keras calls, and what is done then."""

from __future__ import annotations

import abc
import os
from collections.abc import Sequence
from typing import Any, Unpack
from weakref import WeakKeyDictionary

import keras

from keras_l4 import backend, keras_internals
from keras_l4.observers.base import Observer, RecorderAction
from keras_l4.records.annotations import Annotation
from keras_l4.records.block import StepBlock
from keras_l4.rules import Finding
from keras_l4.session.config import SessionConfig
from keras_l4.session.fit import trace_of
from keras_l4.session.options import CommonArguments, Options, check_names
from keras_l4.session.session import Session

_waiting: WeakKeyDictionary[Any, list[RecordingCallback]] = WeakKeyDictionary()


class RecordingCallback(keras.callbacks.Callback, abc.ABC):
    """A callback that instruments an optimizer for the time of `fit`.

    All that are on one optimizer share a session; the first of them leads it. A concrete class
    says which quantities it wants and what observes them.

    Attributes:
        quantities: Names of those.
        action: What it does about NaN and Inf.
        keeps_steps: Whether it has a flight recorder.
        rules: Names of the rules that judge the run.
    """

    # Lets Keras go on calling callbacks from a thread. State is read where a batch begins, which
    # Keras always calls in order, before JAX donates it to the step.
    async_safe = True

    quantities: tuple[str, ...]
    action: RecorderAction = "warn"
    keeps_steps = False
    rules: tuple[str, ...] = ()

    def __init__(
        self,
        log_dir: str | os.PathLike[str] | None,
        observers: Sequence[Observer],
        **options: Unpack[CommonArguments],
    ) -> None:
        super().__init__()
        check_names(type(self).__name__, options)
        self.options = Options(log_dir=log_dir, **options)
        self._observers = observers
        self._session: Session | None = None

    def observe(self, block: StepBlock) -> None:
        """Hands a block to the observers."""
        for observer in self._observers:
            observer.observe(block, self)

    def begin_epoch(self) -> None:
        """The observers start anew."""
        for observer in self._observers:
            observer.begin_epoch()

    @property
    def takes_notes(self) -> bool:
        """Whether an observer wants to know about the model and its data."""
        return any(observer.takes_notes for observer in self._observers)

    def note(self, note: Annotation) -> None:
        """Hands a note to the observers that take them."""
        for observer in self._observers:
            if observer.takes_notes:
                observer.note(note)

    def publish(self, findings: Sequence[Finding]) -> None:
        """Tells the callbacks beside it what is known by now."""
        for member in self._session.members if self._session else ():
            member.hear(findings)

    def hear(self, findings: Sequence[Finding]) -> None:
        """Something was found in the run; a block may be half delivered."""

    def judge(self) -> None:
        """The observers publish what they found in the whole of the training."""
        for observer in self._observers:
            observer.judge(self)

    def answer(self) -> None:
        """Measures what it was asked for by what it heard, as training ends."""

    def end_training(self) -> str:
        """The last word of the observers, in Markdown."""
        return "\n\n".join(filter(None, [o.end_training(self) for o in self._observers]))

    def say(self, message: str) -> None:
        """Prints a line, below the progress bar, unless `verbose=0`; of several processes, one does."""
        if self.options.verbose and backend.distribution.is_first_process():
            print(f"\nkeras_l4: {message}", flush=True)

    @property
    def scales_loss(self) -> bool:
        """Whether steps may be skipped by dynamic loss scaling."""
        return isinstance(self._optimizer, keras.optimizers.LossScaleOptimizer)

    @property
    def holds_updates(self) -> bool:
        """Whether updates whose gradients are not finite are held back."""
        return self._session is not None and self._session.guard != "off"

    def stop_training(self) -> None:
        """Makes `fit` end after this batch."""
        self._model.stop_training = True

    def set_model(self, model: Any) -> None:
        """Waits for the training of `model`, together with the callbacks beside it."""
        if not model.compiled:
            raise ValueError(
                f"{type(self).__name__} was given a model that is not compiled. Call "
                "model.compile(optimizer=..., loss=...) before fit."
            )
        self.meet(model)
        waiting = _waiting.setdefault(self._optimizer, [])
        if self not in waiting:
            waiting.append(self)
        # A fit that fails before training begins must not leave them to the next one.
        keras_internals.on_fit_exit(self._stop_waiting)

    def meet(self, model: Any) -> Any:
        """The optimizer of `model` that is to be recorded."""
        super().set_model(model)
        self._optimizer = self.options.optimizer or model.optimizer
        return self._optimizer

    def on_train_begin(self, logs: Any = None) -> None:
        waiting = _waiting.pop(self._optimizer, [])
        if waiting:
            model, optimizer = self._model, self._optimizer
            plan = SessionConfig.of(
                [callback.options for callback in waiting],
                name="" if optimizer is model.optimizer else optimizer.name,
                steps_per_execution=model.steps_per_execution,
                xla=bool(model.jit_compile),
            )
            session = Session(plan, model, optimizer, trace_of(model), waiting)
            for callback in waiting:
                callback._session = session

    def _stop_waiting(self) -> None:
        _waiting.pop(self._optimizer, None)

    def on_test_begin(self, logs: Any = None) -> None:
        self._stop_waiting()

    on_predict_begin = on_test_begin

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if session := self._led():
            session.begin_epoch(epoch)
        self.begin_epoch()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if session := self._led():
            session.begin_batch()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if session := self._led():
            session.end_batch(batch, (logs or {}).get("loss"))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if session := self._led():
            session.end_epoch(epoch, logs or {})
        for observer in self._observers:
            if logs is not None:
                logs.update(observer.epoch_logs())

    def on_train_end(self, logs: Any = None) -> None:
        if session := self._led():
            session.finish()

    def _led(self) -> Session | None:
        """The session, if it is open and this callback is the first in it."""
        session = self._session
        if session is None or not session.is_open or session.members[0] is not self:
            return None
        return session
