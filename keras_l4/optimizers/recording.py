"""Recording mixin: lets a Keras optimizer record its own steps."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from itertools import chain
from typing import Any

import keras

from keras_l4 import backend, keras_internals
from keras_l4.keras_internals.all_reduce import DeduplicatedAllReduce
from keras_l4.optimizers.closed_forms import effective_rate_of
from keras_l4.recorder.config import RecorderConfig
from keras_l4.recorder.recorder import Recorder

# The optimizers that are inside a recorded step, in this thread. A context variable rather than an
# attribute: TensorFlow runs each replica in a thread of its own, and interleaves them.
_optimizers_in_step: ContextVar[tuple[Any, ...]] = ContextVar("optimizers_in_step", default=())


def _is_never_discarded() -> bool:
    return False


class RecordingMixin(DeduplicatedAllReduce):
    """Mixin that records the steps of a Keras optimizer. Put it before the optimizer class.

    It is read-only: the updates are those of the optimizer without the mixin. While nothing is
    recorded, every method calls the optimizer's own.

    Example:

    ```python
    @save_as(keras.optimizers.Lion)
    class Lion(RecordingMixin, backend_class(keras.optimizers.Lion)):
        \"\"\"`keras.optimizers.Lion` that can record its steps.\"\"\"
    ```
    """

    # These are class attributes, so that an instance whose class is swapped by `instrument` has
    # them too, and one that does not record stores nothing.
    _recorder: Recorder | None = None
    _recorder_config: RecorderConfig | None = None
    _is_discarded_trace: Callable[[], bool] = staticmethod(_is_never_discarded)

    @property
    def recorder(self) -> Recorder | None:
        """The recorder; None if the optimizer does not record or is not built."""
        return self._recorder

    @property
    def is_recording(self) -> bool:
        """True if the optimizer records its steps, or will as soon as it is built."""
        return self._recorder_config is not None

    @classmethod
    def original_class(cls) -> type:
        """Returns the class of an instance after `restore`: this one, unless `instrument` made it."""
        return cls

    def start_recording(self, config: RecorderConfig, recorder: Recorder | None = None) -> None:
        """Starts recording.

        Args:
            config: What to record.
            recorder: A recorder of this optimizer with the same `config`, to continue with it;
                None to create one.
        """
        self._recorder_config = config
        self._recorder = recorder
        if recorder is not None:
            recorder.resume()
        elif self.built:
            self._ensure_recorder(keras_internals.built_variables(self))

    def stop_recording(self) -> None:
        """Stops recording."""
        self._recorder_config = self._recorder = None
        self._is_discarded_trace = _is_never_discarded

    @property
    def variables(self) -> list[Any]:
        """The optimizer's variables. Inside a JAX step the recorder's ring buffers follow them.

        The JAX trainer passes these variables through its step function, and with them the rings.
        """
        recorder = self._recorder_outside_step()
        rings = [] if recorder is None else recorder.rings
        return super().variables + backend.step_state.exposed_rings(rings)

    def apply(self, grads: Sequence[Any], trainable_variables: Any = None) -> None:
        """Applies the gradients as the optimizer does, and records the step."""
        if trainable_variables is not None:
            # It may be an iterator, and is read twice.
            trainable_variables = list(trainable_variables)
        self._ensure_recorder(trainable_variables)
        recorder = self._recorder_outside_step()
        if recorder is None or not len(grads) or self._is_discarded_trace():
            super().apply(grads, trainable_variables)
            return
        update = functools.partial(super().apply, grads, trainable_variables)
        with self._in_step():
            recorder.record(grads, trainable_variables, update)

    def stateless_apply(
        self, optimizer_variables: Sequence[Any], grads: Any, trainable_variables: Any
    ) -> tuple[list[Any], list[Any]]:
        """Applies the gradients without side effects, for JAX, and records the step.

        Raises:
            ValueError: `optimizer_variables` lacks the ring buffers.
        """
        recorder = self._recorder_outside_step()
        if recorder is None:
            return super().stateless_apply(optimizer_variables, grads, trainable_variables)
        # `LossScaleOptimizer.stateless_apply` does not call `apply`, so that a step is recorded
        # around the optimizer's `stateless_apply`.
        stateless_apply = super().stateless_apply
        with self._in_step():
            trainable, own = keras_internals.built_variables(self), self.variables
            if len(optimizer_variables) == len(own):
                raise ValueError(
                    f"stateless_apply of the optimizer {self.name!r} got {len(own)} "
                    f"optimizer_variables; expected {len(own) + len(recorder.rings)} while it records, "
                    "since its ring buffers are passed along with them. Read optimizer.variables "
                    "inside `with keras_l4.watch(...)`, not before it."
                )

            def update() -> None:
                values = [variable.value for variable in own]
                updated = stateless_apply(values, grads, trainable_variables)
                for variable, value in zip([*trainable, *own], chain(*updated), strict=True):
                    variable.assign(value)

            # The recorder assigns to variables. In this scope they have the values that were
            # passed in, and assignments stay in it.
            state = [*trainable, *own, *recorder.rings]
            values = chain(trainable_variables, optimizer_variables)
            with keras.StatelessScope(list(zip(state, values, strict=True))) as scope:
                recorder.record(grads, None, update)
            updated = [scope.get_current_value(variable) for variable in state]
            return updated[: len(trainable)], updated[len(trainable) :]

    def _ensure_recorder(self, variables: Any) -> None:
        """Creates the recorder if it is missing, and builds the optimizer if it is not built."""
        if self._recorder_config is None or self._recorder is not None:
            return
        inner = keras_internals.unwrap_loss_scaling(self)
        if not self.built:
            # As in `Optimizer.apply`, which would do it next.
            with keras.name_scope(self.name, caller=self):
                self.build(variables)
            # TensorFlow discards a trace that created variables, and traces again. To record in
            # the first trace would double the time of tracing.
            self._is_discarded_trace = backend.step_state.discarded_trace_detector(
                [self, *keras_internals.inner_optimizers(inner)]
            )
        rate = effective_rate_of(inner)
        self._recorder = Recorder(
            self, keras_internals.built_variables(self), rate, self._recorder_config
        )

    def _recorder_outside_step(self) -> Recorder | None:
        """Returns the recorder; None inside a recorded step.

        The optimizer's own step calls `apply` and reads `variables` again. These calls must not be
        recorded as further steps, and must not see the ring buffers.
        """
        is_in_step = any(optimizer is self for optimizer in _optimizers_in_step.get())
        return None if is_in_step else self._recorder

    @contextlib.contextmanager
    def _in_step(self) -> Iterator[None]:
        token = _optimizers_in_step.set((*_optimizers_in_step.get(), self))
        try:
            yield
        finally:
            _optimizers_in_step.reset(token)

    def __reduce__(self) -> tuple[Any, ...]:
        # Keras pickles an object as the archive that `save` writes. A copy does not record.
        _, (archive,) = super().__reduce__()
        return _unpickle, (self.original_class(), archive)


def _unpickle(cls: Any, archive: Any) -> Any:
    optimizer = keras_internals.unpickle(cls, archive)
    # The archive names the public Keras class, see `save_as`.
    optimizer.__class__ = cls
    return optimizer
