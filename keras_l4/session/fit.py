"""Trace: the model's step function while an optimizer of it records."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from keras_l4 import backend, keras_internals
from keras_l4.optimizers.instrument import instrument, restore
from keras_l4.recorder.config import RecorderConfig
from keras_l4.recorder.recorder import Recorder


@dataclass
class FitInstrumentation:
    """Instruments the optimizers of one model, and makes its step function anew for them.

    What was traced is kept for the next `fit` with the same settings, so that a loop over
    `fit(epochs=1)` traces once. `compile` in between drops it: then the model's own function,
    which is its sign, is gone.
    """

    model: Any
    recording: dict[int, RecorderConfig] = field(default_factory=dict)
    optimizers: dict[int, Any] = field(default_factory=dict)
    step: keras_internals.TrainStep | None = None
    own_function: Any = None
    kept_function: Any = None
    kept_for: dict[int, RecorderConfig] = field(default_factory=dict)
    recorders: dict[int, Recorder] = field(default_factory=dict)
    variables: list[int] = field(default_factory=list)

    def start(self, optimizer: Any, settings: RecorderConfig) -> None:
        """From now on `optimizer` records."""
        if not self.recording:
            self._forget_if_recompiled()
            self.own_function = self.model.train_function
        kept = self.recorders.get(id(optimizer))
        usable = kept is not None and kept.settings == settings
        instrument(optimizer, settings, kept if usable else None)
        self.recording[id(optimizer)] = settings
        self.optimizers[id(optimizer)] = optimizer
        if settings.guard != "off" and self.step is None:
            self.step = keras_internals.TrainStep(
                self.model,
                keras_internals.put_back(
                    self.model,
                    self._guards,
                    backend.core.cond,
                    backend.step_state.STATE_IS_FUNCTIONAL,
                ),
            )
        self._make_function()

    def stop(self, optimizer: Any) -> None:
        """`optimizer` is as it was; the last one gives the model its own function back."""
        if id(optimizer) not in self.recording:
            return
        if recorder := self.recorder(optimizer):
            self.recorders[id(optimizer)] = recorder
        restore(optimizer)
        if recorder:
            recorder.weights.free()
        if self.recording == self.kept_for:
            self.kept_function = self.model.train_function
        self.recording = {k: v for k, v in self.recording.items() if k != id(optimizer)}
        del self.optimizers[id(optimizer)]
        if not self.recording:
            self._give_back()

    def recorder(self, optimizer: Any) -> Recorder | None:
        """That of `optimizer`, once it records and knows its variables."""
        return optimizer.recorder if id(optimizer) in self.recording else None

    def _forget_if_recompiled(self) -> None:
        variables = [id(v) for v in self.model.trainable_variables]
        if self.model.train_function is not self.own_function or variables != self.variables:
            self.kept_function, self.kept_for = None, {}
            self.recorders.clear()
        self.variables = variables

    def _make_function(self) -> None:
        if self.kept_function is not None and self.recording == self.kept_for:
            self.model.train_function = self.kept_function
            return
        self.model.train_function = None
        with backend.step_state.expose_in_optimizer_variables(self._rings()):
            self.model.make_train_function()
        self.model.train_function = backend.step_state.thread_through_step(
            self.model.train_function, self._rings
        )
        self.kept_for = dict(self.recording)

    def _guards(self) -> list[Any]:
        recorders = filter(None, map(self.recorder, self.optimizers.values()))
        return [recorder.guard.state for recorder in recorders if recorder.guard]

    def _rings(self) -> list[Any]:
        recorder = self.recorder(self.model.optimizer)
        return recorder.rings if recorder else []

    def _give_back(self) -> None:
        if self.step is not None:
            self.step.give_back()
            self.step = None
        self.model.train_function = self.own_function
        if self.own_function is None:
            # Untraced: the sign by which the next `fit` sees that nobody compiled in between.
            self.model.make_train_function()
            self.own_function = self.model.train_function


def trace_of(model: Any) -> FitInstrumentation:
    """The trace of this model, kept with it: it holds the model's functions, which hold it."""
    # Straight into the dictionary: Keras, TensorFlow and torch track what is assigned.
    return vars(model).setdefault("_keras_l4_trace", FitInstrumentation(model))
