"""FitInstrumentation: makes `model.fit` record, and undoes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from keras_l4 import backend, keras_internals
from keras_l4.optimizers.instrument import instrument, restore
from keras_l4.recorder.config import RecorderConfig
from keras_l4.recorder.recorder import Recorder

TrainFunction: TypeAlias = Any


@dataclass
class FitInstrumentation:
    """Instruments the optimizers of one model and rebuilds its train function for them.

    The traced function is cached for the next `fit` with the same configuration, so that a loop
    over `fit(epochs=1)` traces once. The cache is discarded if `model.train_function` has been
    replaced, for example by `compile()`.

    Args:
        model: The model.

    Attributes:
        recorders: The recorders of earlier fits that can be used again, by `id(optimizer)`.
    """

    model: Any
    recorders: dict[int, Recorder] = field(default_factory=dict)
    _configs: dict[int, RecorderConfig] = field(default_factory=dict)
    _optimizers: dict[int, Any] = field(default_factory=dict)
    _train_step: keras_internals.TrainStepOverride | None = None
    _original_function: TrainFunction = None
    _cached_function: TrainFunction = None
    _cached_configs: dict[int, RecorderConfig] = field(default_factory=dict)
    _trainable_ids: list[int] = field(default_factory=list)

    @classmethod
    def of_model(cls, model: Any) -> FitInstrumentation:
        """Returns the instrumentation of `model`, which is stored in the model itself.

        The model is the only place that lives exactly as long as the functions: the
        instrumentation refers to them, and they refer to the model.
        """
        # Assigned through `vars`: Keras, TensorFlow and torch track attribute assignments.
        instrumentation: FitInstrumentation = vars(model).setdefault("_keras_l4_fit", cls(model))
        return instrumentation

    def start(self, optimizer: Any, config: RecorderConfig) -> None:
        """Makes `optimizer` record from the next step on."""
        if not self._configs:
            self._clear_cache_if_recompiled()
            self._original_function = self.model.train_function
        cached = self.recorders.get(id(optimizer))
        is_usable = cached is not None and cached.config == config
        instrument(optimizer, config, cached if is_usable else None)
        self._configs[id(optimizer)] = config
        self._optimizers[id(optimizer)] = optimizer
        if config.guard_mode != "off" and self._train_step is None:
            self._train_step = self._override_train_step()
        self._make_function()

    def stop(self, optimizer: Any) -> None:
        """Restores `optimizer`; with the last one, also the model's train function."""
        if id(optimizer) not in self._configs:
            return
        if recorder := self.recorder(optimizer):
            self.recorders[id(optimizer)] = recorder
        restore(optimizer)
        if recorder:
            recorder.pre_update_weights.free()
        if self._configs == self._cached_configs:
            self._cached_function = self.model.train_function
        del self._configs[id(optimizer)], self._optimizers[id(optimizer)]
        if not self._configs:
            self._restore_function()

    def recorder(self, optimizer: Any) -> Recorder | None:
        """Returns the recorder of `optimizer`; None if it does not record or is not built."""
        return optimizer.recorder if id(optimizer) in self._configs else None

    def _clear_cache_if_recompiled(self) -> None:
        trainable_ids = [id(v) for v in self.model.trainable_variables]
        is_same_function = self.model.train_function is self._original_function
        if not is_same_function or trainable_ids != self._trainable_ids:
            self._cached_function, self._cached_configs = None, {}
            self.recorders.clear()
        self._trainable_ids = trainable_ids

    def _override_train_step(self) -> keras_internals.TrainStepOverride:
        step = keras_internals.restore_skipped_state(
            self.model,
            self._guard_states,
            backend.core.cond,
            backend.step_state.STATE_IS_FUNCTIONAL,
        )
        return keras_internals.TrainStepOverride(self.model, step)

    def _make_function(self) -> None:
        if self._cached_function is not None and self._configs == self._cached_configs:
            self.model.train_function = self._cached_function
            return
        self.model.train_function = None
        with backend.step_state.expose_in_optimizer_variables(self._rings()):
            self.model.make_train_function()
        self.model.train_function = backend.step_state.thread_rings_through(
            self.model.train_function, self._rings
        )
        self._cached_configs = dict(self._configs)

    def _guard_states(self) -> list[Any]:
        recorders = filter(None, map(self.recorder, self._optimizers.values()))
        return [recorder.guard.state for recorder in recorders if recorder.guard]

    def _rings(self) -> list[Any]:
        recorder = self.recorder(self.model.optimizer)
        return recorder.rings if recorder else []

    def _restore_function(self) -> None:
        if self._train_step is not None:
            self._train_step.restore()
            self._train_step = None
        self.model.train_function = self._original_function
        if self._original_function is None:
            # Not traced yet. This function marks the model, so that the next `fit` can see whether
            # `compile` was called in between.
            self.model.make_train_function()
            self._original_function = self.model.train_function
