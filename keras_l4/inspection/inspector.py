"""ModelInspector: annotates a run with the model, its data and its predictions."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from keras_l4 import keras_internals
from keras_l4.circuit_breaker import CircuitBreaker
from keras_l4.inspection.fit_data import FitData
from keras_l4.inspection.model_metadata import model_metadata
from keras_l4.inspection.probe import Probe
from keras_l4.records.annotations import AbortedStep, Annotation, EpochLogs, ProbeResult
from keras_l4.records.metadata import ModelMetadata

_INSPECTING = "looking at the model (look_at_data)"


class ModelInspector:
    """Inspects a model before, during and after its training.

    Args:
        model: The model.
        optimizer: The optimizer that is recorded.
        breaker: Runs the parts that may fail.
        add_annotation: Receives every annotation.
        is_enabled: Whether to inspect the model at all.
        may_read_data: Whether to read a sample of the data, and to run the model on it.
        rules: Names of the rules that evaluate the run.
    """

    def __init__(
        self,
        model: Any,
        optimizer: Any,
        breaker: CircuitBreaker,
        add_annotation: Callable[[Annotation], None],
        *,
        is_enabled: bool,
        may_read_data: bool,
        rules: tuple[str, ...],
    ) -> None:
        self._model, self._optimizer = model, optimizer
        self._breaker, self._add_annotation = breaker, add_annotation
        self._is_enabled, self._rules = is_enabled, rules
        # With several devices or processes, each would have to run the same forward pass.
        reads_data = is_enabled and may_read_data and not keras_internals.is_distributed(model)
        self._data = breaker.call(_INSPECTING, FitData.from_running_fit) if reads_data else None
        self._probe: Probe | None = None
        self._initial_iterations = keras_internals.num_iterations(optimizer)
        self._has_metadata = False
        self._last_probed_step = -1
        self._num_epochs = 0

    def on_model_built(self, last_step: int) -> None:
        """Adds the metadata, and for an untrained model its first probe. Runs once."""
        if self._has_metadata or not self._is_enabled or not self._model.built:
            return
        self._has_metadata = True
        self._annotate(functools.partial(self._metadata, last_step + 1))
        if self._initial_iterations == 0:
            self._annotate(functools.partial(self._run_probe, last_step))

    def end_epoch(self, step: int, epoch: int, logs: Mapping[str, Any]) -> None:
        """Adds the logs, and a probe after 1, 2, 4, 8, ... epochs, since epochs may be short."""
        if not self._is_enabled:
            return
        self._num_epochs += 1
        self._annotate(lambda: EpochLogs(step, epoch, _scalars(logs)))
        is_power_of_two = self._num_epochs & (self._num_epochs - 1) == 0
        if is_power_of_two:
            self._annotate(functools.partial(self._run_probe, step))

    def finish(self, step: int) -> None:
        """Adds a last probe."""
        self._annotate(functools.partial(self._run_probe, step))

    def on_fit_exit(self, step: int) -> None:
        """Releases the data; adds an `AbortedStep` if a non-finite value aborted the step after `step`."""
        self._data = None
        if message := keras_internals.raised_nonfinite_message():
            self._add_annotation(AbortedStep(step, message))

    def _annotate(self, inspect: Callable[[], Annotation | None]) -> None:
        annotation = self._breaker.call(_INSPECTING, inspect)
        if annotation is not None:
            self._add_annotation(annotation)

    def _metadata(self, first_step: int) -> ModelMetadata:
        data = self._data or FitData()
        metadata = model_metadata(
            self._model,
            self._optimizer,
            data,
            step=first_step,
            iterations=self._initial_iterations,
        )
        metadata = replace(metadata, rules=self._rules)
        if data.x is not None:
            self._probe = Probe(self._model, data, metadata)
        return metadata

    def _run_probe(self, step: int) -> ProbeResult | None:
        """Returns None if there is no data, or if the model was probed after this step already."""
        if self._probe is None or step == self._last_probed_step:
            return None
        self._last_probed_step = step
        return self._probe.run(step, self._num_epochs)


def _scalars(logs: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in logs.items() if np.ndim(value) == 0}
