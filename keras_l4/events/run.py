"""Run: a recorded run, and `load`, which reads it from event files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from keras_l4.events.locate import empty_run_reason, find_run
from keras_l4.events.reader import event_files
from keras_l4.events.segments import concatenate_series, interleave, read_segments
from keras_l4.records.annotations import Annotation
from keras_l4.records.block import By, Series, StepBlock, Variable
from keras_l4.records.history import Record, build_record
from keras_l4.records.loss_scaling import LossScaleStall, StallDetector
from keras_l4.records.nonfinite import NonFinite, nonfinite_events

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Run:
    """A recorded run.

    Attributes:
        blocks: The measurements, at least one block. Steps strictly increase.
        num_superseded: Number of steps that were dropped because the run was resumed from an older
            checkpoint, or restarted, in the same folder.
        annotations: Metadata, probe results and other annotations, in the order of writing.
    """

    blocks: tuple[StepBlock, ...]
    num_superseded: int = 0
    annotations: tuple[Annotation, ...] = ()

    def __repr__(self) -> str:
        return (
            f"Run(steps {self.steps[0]} to {self.steps[-1]}, {len(self.variables)} variables, "
            f"quantities {', '.join(self.quantities)})"
        )

    @cached_property
    def variables(self) -> tuple[Variable, ...]:
        """Variables of the last block in forward order, then those that only earlier blocks have."""
        by_path: dict[str, Variable] = {}
        for variables in dict.fromkeys(block.variables for block in reversed(self.blocks)):
            for variable in variables:
                by_path.setdefault(variable.path, variable)
        return tuple(by_path.values())

    @cached_property
    def quantities(self) -> tuple[str, ...]:
        """Names of the recorded quantities, sorted."""
        return tuple(sorted(set().union(*(block.values for block in self.blocks))))

    @cached_property
    def events(self) -> tuple[NonFinite, ...]:
        """All non-finite gradients and overflowing gradient norms, sorted by step."""
        return tuple(event for block in self.blocks for event in nonfinite_events(block))

    @cached_property
    def stalls(self) -> tuple[LossScaleStall, ...]:
        """Steps at which loss scaling has skipped ten steps in a row or falls below 1."""
        detector = StallDetector()
        return tuple(stall for block in self.blocks for stall in detector.observe(block))

    @cached_property
    def steps(self) -> np.ndarray:
        """Step numbers from 1, strictly increasing, `int64[steps]`."""
        return self._concatenate("steps")

    @cached_property
    def iterations(self) -> np.ndarray:
        """Keras' `optimizer.iterations` when the step began, `int64[steps]`."""
        return self._concatenate("iterations")

    @cached_property
    def epochs(self) -> np.ndarray:
        """Epoch of each step, from 0, `int64[steps]`."""
        return self._concatenate("epochs")

    @cached_property
    def batches(self) -> np.ndarray:
        """Batch within the epoch, from 0, `int64[steps]`."""
        return self._concatenate("batches")

    @cached_property
    def learning_rate(self) -> np.ndarray:
        """Nominal learning rate of each step, `float64[steps]`."""
        return self._concatenate("learning_rate")

    @cached_property
    def loss_scale(self) -> np.ndarray:
        """Factor by which the loss was multiplied, `float64[steps]`; 1 without loss scaling."""
        return self._concatenate("loss_scale")

    @cached_property
    def loss(self) -> np.ndarray:
        """Running mean of the loss over the epoch, `float64[steps]`; NaN if it was not read."""
        return self._concatenate("loss")

    @cached_property
    def sampled(self) -> np.ndarray:
        """Steps at which the sampled quantities were measured, `bool[steps]`."""
        return self._concatenate("sampled")

    @cached_property
    def skipped(self) -> np.ndarray:
        """Steps whose update was not applied, `bool[steps]`."""
        return self._concatenate("skipped")

    @cached_property
    def record(self) -> Record:
        """The condensed run that rules read: the last run in the folder, downsampled if long."""
        return build_record(interleave(self.blocks, self.annotations))

    def series(self, quantity: str, by: By = "layer") -> Series:
        """Returns one quantity over the run.

        Args:
            quantity: One of `quantities`.
            by: One column per `"layer"` or per `"variable"`.

        Returns:
            The values at the steps at which the quantity was measured. A layer or variable that
            the model did not have at a step is NaN.

        Raises:
            KeyError: `quantity` was not recorded.
            ValueError: `by` is neither `"layer"` nor `"variable"`.
        """
        if quantity not in self.quantities:
            raise KeyError(
                f"quantity={quantity!r} was not recorded. Recorded: {list(self.quantities)}."
            )
        return concatenate_series(
            [block.series(quantity, by) for block in self.blocks if quantity in block.values],
            self._names(by),
        )

    def to_dataframe(self, by: By = "layer") -> pd.DataFrame:
        """Returns all quantities as a table in long format.

        Args:
            by: One row per step and `"layer"`, or per step and `"variable"`.

        Returns:
            A data frame with the columns `step`, `name` (of the layer or variable), `quantity` and
            `value`.

        Raises:
            ImportError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError("to_dataframe() needs pandas: pip install pandas") from error
        frames = []
        for quantity in self.quantities:
            series = self.series(quantity, by)
            columns = {
                "step": np.repeat(series.steps, len(series.names)),
                "name": np.tile(np.array(series.names, dtype=object), len(series.steps)),
                "quantity": quantity,
                "value": series.values.ravel().astype(np.float64),
            }
            frames.append(pd.DataFrame(columns))
        return pd.concat(frames, ignore_index=True)

    def _concatenate(self, name: str) -> np.ndarray:
        return np.concatenate([getattr(block, name) for block in self.blocks])

    def _names(self, by: By) -> tuple[str, ...]:
        names = (v.path if by == "variable" else v.layer for v in self.variables)
        return tuple(dict.fromkeys(names))


def load(log_dir: str | os.PathLike[str], optimizer: str | None = None) -> Run:
    """Reads a recorded run. Needs neither Keras nor TensorFlow, nor the model.

    A run that is still being written is read up to its last complete block.

    Args:
        log_dir: The `log_dir` of the callback, or the folder `diagnostics` in it.
        optimizer: With several optimizers, the name of one: its folder in `diagnostics`.

    Returns:
        The run, without the steps that a resumed run superseded.

    Raises:
        TypeError: `log_dir` is not a path.
        FileNotFoundError: There is no such folder.
        ValueError: The folder contains no run, several runs, or a run without any step.
    """
    folder = find_run(log_dir, optimizer)
    blocks, num_superseded, annotations = read_segments(event_files(folder))
    if not blocks:
        raise ValueError(
            f"{folder} has an event file of keras_l4, but {empty_run_reason(annotations)}"
        )
    return Run(tuple(blocks), num_superseded, annotations)
