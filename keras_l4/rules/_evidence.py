"""Evidence: a recorded run as rules look at it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from keras_l4.records.annotations import AbortedStep, CurvatureMeasurement, EpochLogs, ProbeResult
from keras_l4.records.block import Variable
from keras_l4.records.history import Record
from keras_l4.records.metadata import LayerMetadata, ModelMetadata
from keras_l4.records.nonfinite import NonFinite

_WINDOWS = 20
_TINY = np.finfo(np.float64).tiny
_PASS_ON = {"Dropout", "Flatten", "Reshape", "Permute", "SpatialDropout1D", "SpatialDropout2D"}


class RunView:
    """What was recorded, and the little arithmetic that several rules need.

    Args:
        record: The record of a run.
    """

    def __init__(self, record: Record) -> None:
        self.record = record

    @property
    def facts(self) -> ModelMetadata | None:
        """Facts about the model, if they are known."""
        return self.record.facts

    @property
    def responses(self) -> tuple[ProbeResult, ...]:
        """The model's answers to a fixed batch, in order."""
        return self.record.responses

    @property
    def untrained(self) -> ProbeResult | None:
        """The answer before any training, if there was none."""
        is_first = self.facts is None or not self.facts.iterations
        before = [r for r in self.responses if r.step < self.first_step]
        return before[0] if before and is_first else None

    @property
    def answer(self) -> ProbeResult | None:
        """The last answer that is finite, of those before the run was spoiled."""
        end = self.last_step if self.spoiled_at is None else self.spoiled_at - 1
        known = [r for r in self.responses if r.step <= end and not np.isnan(r.output_minimum)]
        return known[-1] if known else None

    @property
    def epochs(self) -> tuple[EpochLogs, ...]:
        """What Keras showed at the end of epochs."""
        return self.record.epochs

    @property
    def curvature(self) -> CurvatureMeasurement | None:
        """The last measurement of the curvature, if there was one."""
        return self.record.curvatures[-1] if self.record.curvatures else None

    @property
    def events(self) -> tuple[NonFinite, ...]:
        """The first gradients with NaN or Inf, or too large a norm."""
        return self.record.events

    @property
    def refusals(self) -> tuple[AbortedStep, ...]:
        """Steps that the framework did not finish, at a number that was not finite."""
        return self.record.refusals

    @property
    def steps(self) -> np.ndarray:
        """`int64[steps]`: those that are kept."""
        return self.record.block.steps

    @property
    def first_step(self) -> int:
        """First step of the run."""
        return int(self.steps[0])

    @property
    def last_step(self) -> int:
        """Last step of the run so far."""
        return int(self.steps[-1])

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The recorded variables, in forward order."""
        return self.record.block.variables

    @property
    def is_adaptive(self) -> bool:
        """Whether every element has a learning rate of its own."""
        return "effective_learning_rate_p50" in self.record.block.values

    @cached_property
    def kernels(self) -> np.ndarray:
        """`int64[kernels]`: positions of the variables that connect units."""
        # The bias of a GRU has two rows.
        connect = [len(v.shape) >= 2 and not v.path.endswith("bias") for v in self.variables]
        return np.flatnonzero(connect)

    def layers_of(self, positions: Sequence[int] | np.ndarray) -> tuple[str, ...]:
        """Layers of the variables at these positions."""
        return tuple(dict.fromkeys(self.variables[i].layer for i in positions))

    def steps_of(self, quantity: str) -> np.ndarray:
        """Steps at which a quantity was measured; none if it never was."""
        block = self.record.block
        return block.steps[block.rows(quantity)] if quantity in block.values else np.empty(0, int)

    def values(self, quantity: str) -> np.ndarray:
        """`float64[rows, variables]`; no rows if it was not recorded."""
        empty = np.empty((0, len(self.variables)))
        return np.asarray(self.record.block.values.get(quantity, empty), np.float64)

    @cached_property
    def batch_loss(self) -> np.ndarray:
        """`float64[batches]`: finite losses of batches that were seen, in order."""
        return self.record.batch_loss[np.isfinite(self.record.batch_loss)]

    @cached_property
    def loss_windows(self) -> np.ndarray:
        """Mean loss over up to 20 equal parts of the run."""
        parts = np.array_split(self.batch_loss, min(_WINDOWS, max(1, len(self.batch_loss))))
        return np.array([part.mean() for part in parts if len(part)])

    @cached_property
    def spoiled_at(self) -> int | None:
        """First step from which on gradients are not finite to the end, or None."""
        bad = ~np.isfinite(self.values("gradient_norm")).all(axis=1)
        bad &= ~self.record.block.skipped[: len(bad)]
        if not len(bad) or not bad[-1]:
            return None
        good = np.flatnonzero(~bad)
        return int(self.steps[good[-1] + 1 if len(good) else 0])

    @cached_property
    def travel(self) -> np.ndarray:
        """`float64[variables]`: length of the way of the weights, in units of their norm.

        The sum of update ratios over all steps, from the sampled ones; of weights that shrank, in
        units of their first norm, since near 0 each step is far.
        """
        steps, ratios = self.steps_of("update_ratio"), self.values("update_ratio")
        norms = self.values("weight_norm")
        if len(norms) == len(ratios):
            ratios = ratios * np.fmin(1, norms / np.fmax(norms[:1], _TINY))
        return np.array([self._way(steps, column) for column in ratios.T])

    def _way(self, steps: np.ndarray, ratios: np.ndarray) -> float:
        known = np.isfinite(ratios)
        if known.sum() < 2:
            return float(ratios[known].sum()) * self.record.num_steps if known.any() else np.nan
        span = np.ptp(steps[known])
        return float(np.trapezoid(ratios[known], steps[known]) / span) * self.record.num_steps

    @cached_property
    def hidden(self) -> tuple[LayerMetadata, ...]:
        """Layers before the one that makes the output."""
        layers = () if self.facts is None else self.facts.layers
        return tuple(layer for layer in layers if layer is not self.output)

    @cached_property
    def sizes(self) -> np.ndarray:
        """`float64[variables]`: number of elements."""
        return np.array([max(1, variable.size) for variable in self.variables], np.float64)

    @cached_property
    def output(self) -> LayerMetadata | None:
        """The layer that makes the output, if it is known."""
        layers = [] if self.facts is None else self.facts.layers
        return next((layer for layer in reversed(layers) if layer.kind not in _PASS_ON), None)

    def layer(self, name: str) -> LayerMetadata | None:
        """Facts about a layer."""
        layers = () if self.facts is None else self.facts.layers
        return next((layer for layer in layers if layer.name == name), None)
