"""Witness: notes what the optimizer does not see, the model, the data and its answers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_l4 import keras_internals
from keras_l4.inspection.fit_data import Data
from keras_l4.inspection.model_metadata import model_facts
from keras_l4.inspection.probe import Probe
from keras_l4.records.annotations import AbortedStep, Annotation, EpochLogs, ProbeResult
from keras_l4.records.metadata import ModelMetadata
from keras_l4.session.circuit_breaker import CircuitBreaker

if TYPE_CHECKING:
    from keras_l4.callbacks.base import RecordingCallback


class ModelInspector:
    """Looks at a model before, while and after it is trained.

    Args:
        model: The model.
        optimizer: The optimizer that is recorded.
        members: The callbacks: it looks only if one takes notes, and at the data only if all
            of those allow it.
        fuse: Runs what may fail.
        deliver: Gets every note.
    """

    def __init__(
        self,
        model: Any,
        optimizer: Any,
        members: Sequence[RecordingCallback],
        fuse: CircuitBreaker,
        deliver: Callable[[Annotation], None],
    ) -> None:
        self._model = model
        self._optimizer = optimizer
        self._fuse = fuse
        self._deliver = deliver
        takers = [member for member in members if member.takes_notes]
        with_data = bool(takers) and all(taker.options.look_at_data for taker in takers)
        # Of several devices or processes each would have to take the same look.
        with_data = with_data and not keras_internals.is_distributed(model)
        self._rules = next((taker.rules for taker in takers if taker.rules), ())
        self._data = fuse.attempt(_LOOKING, Data.of_fit) if with_data else None
        self._probe: Probe | None = None
        self._iterations = keras_internals.num_iterations(optimizer)
        self._is_wanted = bool(takers)
        self._has_met = False
        self._last_look = -1
        self._num_epochs = 0

    def meet(self, last_step: int) -> None:
        """Notes the facts, and how untrained weights answer, once the model is built."""
        if self._has_met or not self._is_wanted or not self._model.built:
            return
        self._has_met = True
        self._note(functools.partial(self._facts, last_step + 1))
        if self._iterations == 0:
            self._note(functools.partial(self._look, last_step))

    def end_epoch(self, step: int, epoch: int, logs: Mapping[str, Any]) -> None:
        """Looks after 1, 2, 4, 8, ... epochs, so that epochs may be short."""
        if not self._is_wanted:
            return
        self._num_epochs += 1
        self._note(lambda: EpochLogs(step, epoch, _numbers(logs)))
        if self._num_epochs & (self._num_epochs - 1) == 0:
            self._note(functools.partial(self._look, step))

    def finish(self, step: int) -> None:
        """A last look."""
        self._note(functools.partial(self._look, step))

    def leave(self, step: int) -> None:
        """`fit` is left, maybe by an error in the step after this one; its data is let go."""
        self._data = None
        if words := keras_internals.refusal():
            self._deliver(AbortedStep(step, words))

    def _note(self, look: Callable[[], Annotation | None]) -> None:
        note = self._fuse.attempt(_LOOKING, look)
        if note is not None:
            self._deliver(note)

    def _facts(self, first_step: int) -> ModelMetadata:
        at, data = (first_step, self._iterations), self._data or Data()
        facts = replace(model_facts(self._model, self._optimizer, at, data), rules=self._rules)
        if data.x is not None:
            self._probe = Probe(self._model, data, facts)
        return facts

    def _look(self, step: int) -> ProbeResult | None:
        """None where the answer is known, or there is no data."""
        if self._probe is None or step == self._last_look:
            return None
        self._last_look = step
        return self._probe.look(step, self._num_epochs)


_LOOKING = "looking at the model (look_at_data)"


def _numbers(logs: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in logs.items() if np.ndim(value) == 0}
