"""Recording: what an optimizer needs to record its own steps."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from itertools import chain
from typing import Any

import keras

from keras_l4 import backend, keras_internals
from keras_l4.optimizers.closed_forms import rate_of
from keras_l4.recorder.config import RecorderConfig
from keras_l4.recorder.recorder import Recorder

_at_work: ContextVar[tuple[Any, ...]] = ContextVar("at_work", default=())


def _never() -> bool:
    return False


class Recording(backend.distribution.DeduplicatedAllReduce):
    """Mixin in front of a Keras optimizer: it records while it has a recorder.

    It only watches: what is applied is what the optimizer applies without it, and without a
    recorder it is that optimizer.
    """

    _recorder: Recorder | None = None
    _settings: RecorderConfig | None = None
    _in_draft: Callable[[], bool] = staticmethod(_never)

    @property
    def recorder(self) -> Recorder | None:
        """The recorder, while there is one."""
        return self._recorder

    @classmethod
    def stock_class(cls) -> type:
        """The class that an instance goes back to when it stops recording: its own."""
        return cls

    def start_recording(self, settings: RecorderConfig, recorder: Recorder | None = None) -> None:
        """Records from now on, with `recorder` where there is one for these settings."""
        self._settings = settings
        self._recorder = recorder
        if recorder is not None:
            recorder.resume()
        elif self.built:
            self._get_ready(self._trainable_variables)

    @property
    def is_recording(self) -> bool:
        """Whether it records, or will from its first step on."""
        return self._settings is not None

    def stop_recording(self) -> None:
        """Is a plain optimizer again."""
        self._settings = self._recorder = None
        self._in_draft = _never

    @property
    def variables(self) -> list[Any]:
        """Those of the optimizer; where a JAX step runs, the rings stand at their end."""
        recorder = self._listening()
        rings = [] if recorder is None else recorder.rings
        return super().variables + backend.step_state.exposed_rings(rings)

    def apply(self, grads: Sequence[Any], trainable_variables: Any = None) -> None:
        """Applies the gradients, as the optimizer does, and records the step."""
        if trainable_variables is not None:
            trainable_variables = list(trainable_variables)
        self._get_ready(trainable_variables)
        recorder = self._listening()
        if recorder is None or not len(grads) or self._in_draft():
            super().apply(grads, trainable_variables)
            return
        update = functools.partial(super().apply, grads, trainable_variables)
        with self._paused():
            recorder.record(grads, trainable_variables, update)

    def stateless_apply(
        self, optimizer_variables: Sequence[Any], grads: Any, trainable_variables: Any
    ) -> tuple[list[Any], list[Any]]:
        """Applies the gradients without side effects (JAX), and records the step."""
        recorder = self._listening()
        if recorder is None:
            return super().stateless_apply(optimizer_variables, grads, trainable_variables)
        # `LossScaleOptimizer.stateless_apply` does not go through `apply`: record around it.
        stateless_apply = super().stateless_apply
        with self._paused():
            watched, own = self._trainable_variables, self.variables
            if len(optimizer_variables) == len(own):
                raise ValueError(
                    f"stateless_apply of the optimizer {self.name!r} was given the "
                    f"{len(own)} variables that it has when it does not record. Read "
                    "optimizer.variables after keras_l4.watch was entered: the record travels "
                    "with them."
                )

            def update() -> None:
                held = [variable.value for variable in own]
                updated = stateless_apply(held, grads, trainable_variables)
                for variable, value in zip([*watched, *own], chain(*updated), strict=True):
                    variable.assign(value)

            state = [*watched, *own, *recorder.rings]
            before = chain(trainable_variables, optimizer_variables)
            with keras.StatelessScope(list(zip(state, before, strict=True))) as scope:
                recorder.record(grads, None, update)
            after = [scope.get_current_value(variable) for variable in state]
            return after[: len(watched)], after[len(watched) :]

    def _get_ready(self, variables: Any) -> None:
        if self._settings is None or self._recorder is not None:
            return
        if not self.built:
            with keras.name_scope(self.name, caller=self):
                self.build(variables)
            self._in_draft = backend.step_state.discarded_trace_check(
                [self, *keras_internals.parts(keras_internals.inner_optimizer(self))]
            )
        rate = rate_of(keras_internals.inner_optimizer(self))
        self._recorder = Recorder(self, self._trainable_variables, rate, self._settings)

    def __reduce__(self) -> tuple[Any, ...]:
        _, (file,) = super().__reduce__()
        return _revive, (self.stock_class(), file)

    def _listening(self) -> Recorder | None:
        """The recorder, unless it is at work in this thread: what `apply` calls is no other step."""
        at_work = any(optimizer is self for optimizer in _at_work.get())
        return None if at_work else self._recorder

    @contextlib.contextmanager
    def _paused(self) -> Iterator[None]:
        """Does not listen in this thread. TensorFlow's replicas have one each, and take turns."""
        token = _at_work.set((*_at_work.get(), self))
        try:
            yield
        finally:
            _at_work.reset(token)


def _revive(cls: Any, file: Any) -> Any:
    # Keras unpickles by the name it saves, which is that of the stock class.
    optimizer = cls._unpickle_model(file)
    optimizer.__class__ = cls
    return optimizer
