"""Run view: a recorded run as rules read it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from keras_l4.records.annotations import AbortedStep, CurvatureMeasurement, EpochLogs, ProbeResult
from keras_l4.records.block import Variable
from keras_l4.records.history import Record
from keras_l4.records.metadata import LayerMetadata, ModelMetadata
from keras_l4.records.nonfinite import NonFinite

_NUM_WINDOWS = 20
_TINY = np.finfo(np.float64).tiny
# Layers that may follow the output layer without changing its values (outside of training).
_PASS_THROUGH = {
    *("Dropout", "SpatialDropout1D", "SpatialDropout2D"),
    *("Flatten", "Reshape", "Permute"),
}


class RunView:
    """A recorded run, and the quantities derived from it that several rules need.

    Args:
        record: The recorded run.
    """

    def __init__(self, record: Record) -> None:
        self.record = record

    @property
    def metadata(self) -> ModelMetadata | None:
        """Metadata of the model, or None if it was not recorded."""
        return self.record.metadata

    @property
    def layers(self) -> tuple[LayerMetadata, ...]:
        """The layers in forward order; empty if unknown."""
        return () if self.metadata is None else self.metadata.layers

    @cached_property
    def output_layer(self) -> LayerMetadata | None:
        """The layer that computes the output, or None if unknown."""
        layers = reversed(self.layers)
        return next((layer for layer in layers if layer.kind not in _PASS_THROUGH), None)

    @cached_property
    def hidden_layers(self) -> tuple[LayerMetadata, ...]:
        """All layers but the output layer."""
        return tuple(layer for layer in self.layers if layer is not self.output_layer)

    @cached_property
    def activations(self) -> dict[str, str]:
        """Layer name to the name of its activation function."""
        return {layer.name: layer.activation for layer in self.layers}

    @property
    def trivial_loss(self) -> float:
        """Loss of the best constant prediction; NaN if unknown."""
        targets = None if self.metadata is None else self.metadata.targets
        return np.nan if targets is None else targets.trivial_loss

    @property
    def probes(self) -> tuple[ProbeResult, ...]:
        """Results of the forward passes on the probe batch, by step."""
        return self.record.probes

    @property
    def initial_probe(self) -> ProbeResult | None:
        """The probe of the untrained model, or None if training continued from earlier weights."""
        is_untrained = self.metadata is None or not self.metadata.iterations
        before = [probe for probe in self.probes if probe.step < self.first_step]
        return before[0] if before and is_untrained else None

    @property
    def probes_before_nonfinite(self) -> list[ProbeResult]:
        """The probes before `nonfinite_since`; all of them if the run stayed finite."""
        end = np.inf if self.nonfinite_since is None else self.nonfinite_since
        return [probe for probe in self.probes if probe.step < end]

    @property
    def last_finite_probe(self) -> ProbeResult | None:
        """The last probe before `nonfinite_since` whose output is finite, or None."""
        finite = [
            probe
            for probe in self.probes_before_nonfinite
            if probe.step <= self.last_step and not np.isnan(probe.output_minimum)
        ]
        return finite[-1] if finite else None

    @property
    def epoch_logs(self) -> tuple[EpochLogs, ...]:
        """The logs that Keras reported at the end of each epoch."""
        return self.record.epoch_logs

    @property
    def last_curvature(self) -> CurvatureMeasurement | None:
        """The last measurement of the `Curvature` callback, or None."""
        measurements = self.record.curvature_measurements
        return measurements[-1] if measurements else None

    @property
    def events(self) -> tuple[NonFinite, ...]:
        """The first gradients with NaN or Inf elements or an overflowing norm."""
        return self.record.events

    @property
    def aborted_steps(self) -> tuple[AbortedStep, ...]:
        """Steps in which the framework raised an error because a number was not finite."""
        return self.record.aborted_steps

    @property
    def steps(self) -> np.ndarray:
        """`int64[steps]`: the retained steps."""
        return self.record.block.steps

    @property
    def first_step(self) -> int:
        """First step of the run."""
        return int(self.steps[0])

    @property
    def last_step(self) -> int:
        """Last step of the run so far."""
        return int(self.steps[-1])

    @cached_property
    def nonfinite_since(self) -> int | None:
        """First of the steps at the end of the run that all have a non-finite gradient norm, or None.

        A skipped step counts as finite.
        """
        is_bad = ~np.isfinite(self.values("gradient_norm")).all(axis=1)
        is_bad &= ~self.record.block.skipped[: len(is_bad)]
        if not len(is_bad) or not is_bad[-1]:
            return None
        good = np.flatnonzero(~is_bad)
        return int(self.steps[good[-1] + 1 if len(good) else 0])

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The recorded variables, in forward order."""
        return self.record.block.variables

    @cached_property
    def variable_sizes(self) -> np.ndarray:
        """`float64[variables]`: number of elements, at least 1."""
        return np.array([max(1, variable.size) for variable in self.variables], np.float64)

    @cached_property
    def kernels(self) -> np.ndarray:
        """`int64[kernels]`: indices of the variables that are weight matrices."""
        # The bias of a GRU has two rows, hence the second condition.
        is_kernel = [len(v.shape) >= 2 and not v.path.endswith("bias") for v in self.variables]
        return np.flatnonzero(is_kernel)

    @property
    def has_elementwise_learning_rates(self) -> bool:
        """True for an adaptive optimizer, whose learning rate differs from element to element."""
        return "effective_learning_rate_p50" in self.record.block.values

    def layer_names(self, indices: Sequence[int] | np.ndarray) -> tuple[str, ...]:
        """Returns the layers of the variables at these indices, without duplicates."""
        return tuple(dict.fromkeys(self.variables[i].layer for i in indices))

    def values(self, quantity: str) -> np.ndarray:
        """Returns a quantity as `float64[rows, variables]`; no rows if it was not recorded."""
        empty = np.empty((0, len(self.variables)))
        return np.asarray(self.record.block.values.get(quantity, empty), np.float64)

    @cached_property
    def batch_loss(self) -> np.ndarray:
        """`float64[batches]`: the finite losses of the recorded batches, in order."""
        return self.record.batch_loss[np.isfinite(self.record.batch_loss)]

    @cached_property
    def loss_windows(self) -> np.ndarray:
        """`float64[windows]`: mean loss over up to 20 equal parts of the run."""
        parts = np.array_split(self.batch_loss, min(_NUM_WINDOWS, max(1, len(self.batch_loss))))
        return np.array([part.mean() for part in parts if len(part)])

    @cached_property
    def weight_path_length(self) -> np.ndarray:
        """`float64[variables]`: sum of the update ratios ‖Δw‖/‖w‖ over all steps of the run.

        Estimated from the sampled steps. Weights that shrink are measured in units of their
        initial norm: in units of a norm near 0 every step would count as a long one.
        """
        block, ratios = self.record.block, self.values("update_ratio")
        steps = block.steps[block.rows("update_ratio")] if len(ratios) else np.empty(0, int)
        norms = self.values("weight_norm")
        if len(norms) == len(ratios):
            ratios = ratios * np.fmin(1, norms / np.fmax(norms[:1], _TINY))
        return np.array([self._integrate(steps, column) for column in ratios.T])

    def _integrate(self, steps: np.ndarray, ratios: np.ndarray) -> float:
        """Returns the mean of the finite ratios over time, multiplied by the number of steps."""
        is_finite = np.isfinite(ratios)
        if not is_finite.any():
            return np.nan
        if is_finite.sum() == 1:
            return float(ratios[is_finite].sum()) * self.record.num_steps
        span = np.ptp(steps[is_finite])
        area = np.trapezoid(ratios[is_finite], steps[is_finite])
        return float(area / span) * self.record.num_steps
