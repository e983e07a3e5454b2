"""load and Run: everything that was recorded, read back from the event files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from keras_l4.events.locate import find_run, why_empty
from keras_l4.events.reader import event_files
from keras_l4.events.segments import concatenate, interleave, read
from keras_l4.records.annotations import Annotation
from keras_l4.records.block import By, Series, StepBlock, Variable
from keras_l4.records.history import Record, record_of
from keras_l4.records.loss_scaling import LossScaleStall, StallWatch
from keras_l4.records.nonfinite import NonFinite, nonfinite_events

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Run:
    """A recorded run.

    Attributes:
        blocks: What was measured, at least one block; steps strictly increase.
        num_superseded: Number of steps left out because the run was resumed from an older
            checkpoint, or begun anew, in the same folder.
        notes: What is known beside the steps, as it was written: see `keras_l4.records.annotations`.
    """

    blocks: tuple[StepBlock, ...]
    num_superseded: int = 0
    notes: tuple[Annotation, ...] = ()

    def __repr__(self) -> str:
        return (
            f"Run(steps {self.steps[0]} to {self.steps[-1]}, {len(self.variables)} variables, "
            f"quantities {', '.join(self.quantities)})"
        )

    @cached_property
    def variables(self) -> tuple[Variable, ...]:
        """The variables of the last segment in forward order, then those that only were."""
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
        """Every non-finite gradient, and every gradient norm that overflowed, by step."""
        return tuple(event for block in self.blocks for event in nonfinite_events(block))

    @cached_property
    def stalls(self) -> tuple[LossScaleStall, ...]:
        """Where loss scaling skipped ten steps in a row or fell below 1, by step."""
        watch = StallWatch()
        return tuple(stall for block in self.blocks for stall in watch.observe(block))

    @cached_property
    def steps(self) -> np.ndarray:
        """`int64[steps]`: step numbers, strictly increasing."""
        return np.concatenate([block.steps for block in self.blocks])

    @cached_property
    def iterations(self) -> np.ndarray:
        """`int64[steps]`: Keras' `optimizer.iterations` as the step began."""
        return np.concatenate([block.iterations for block in self.blocks])

    @cached_property
    def epochs(self) -> np.ndarray:
        """`int64[steps]`: epoch of each step, from 0."""
        return np.concatenate([block.epochs for block in self.blocks])

    @cached_property
    def batches(self) -> np.ndarray:
        """`int64[steps]`: batch within the epoch, from 0."""
        return np.concatenate([block.batches for block in self.blocks])

    @cached_property
    def learning_rate(self) -> np.ndarray:
        """`float64[steps]`: the nominal rate of each step."""
        return np.concatenate([block.learning_rate for block in self.blocks])

    @cached_property
    def loss_scale(self) -> np.ndarray:
        """`float64[steps]`: 1 without loss scaling."""
        return np.concatenate([block.loss_scale for block in self.blocks])

    @cached_property
    def loss(self) -> np.ndarray:
        """`float64[steps]`: running mean over the epoch, NaN where it was not seen."""
        return np.concatenate([block.loss for block in self.blocks])

    @cached_property
    def sampled(self) -> np.ndarray:
        """`bool[steps]`: steps that were looked at closely."""
        return np.concatenate([block.sampled for block in self.blocks])

    @cached_property
    def skipped(self) -> np.ndarray:
        """`bool[steps]`: steps that loss scaling did not apply."""
        return np.concatenate([block.skipped for block in self.blocks])

    @cached_property
    def record(self) -> Record:
        """What rules read: the last run in the folder, thinned out if it is long."""
        return record_of(interleave(self.blocks, self.notes))

    def series(self, quantity: str, by: By = "layer") -> Series:
        """One quantity over the run.

        Args:
            quantity: One of `quantities`.
            by: One column per `"layer"` or per `"variable"`.

        Returns:
            Its values at the steps at which it was measured, NaN for a layer or variable that
            the model did not have then.

        Raises:
            KeyError: `quantity` was not recorded.
            ValueError: `by` is neither `"layer"` nor `"variable"`.
        """
        if quantity not in self.quantities:
            raise KeyError(
                f"quantity={quantity!r} was not recorded. Recorded: {list(self.quantities)}."
            )
        return concatenate(
            [block.series(quantity, by) for block in self.blocks if quantity in block.values],
            self._names(by),
        )

    def to_dataframe(self, by: By = "layer") -> pd.DataFrame:
        """All quantities as a long table.

        Returns:
            Columns `step`, `name` (of the layer or variable), `quantity` and `value`.

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

    def _names(self, by: By) -> tuple[str, ...]:
        names = (v.path if by == "variable" else v.layer for v in self.variables)
        return tuple(dict.fromkeys(names))


def load(log_dir: str | os.PathLike[str], optimizer: str | None = None) -> Run:
    """Reads what was recorded; needs neither Keras nor TensorFlow, nor the model.

    A run that is still being written is read up to its last whole block.

    Args:
        log_dir: The `log_dir` that was trained into, or its folder `diagnostics`.
        optimizer: Which of several optimizers, by the name of its folder below `diagnostics`.

    Returns:
        The run. Steps that a resumed run did over again are left out.

    Raises:
        TypeError: `log_dir` is no path.
        FileNotFoundError: There is no such folder.
        ValueError: It holds no run, more than one, or one of which nothing was written yet.
    """
    folder = find_run(log_dir, optimizer)
    kept, num_superseded, notes = read(event_files(folder))
    if not kept:
        raise ValueError(f"{folder} has an event file of keras_l4, but {why_empty(notes)}")
    return Run(tuple(kept), num_superseded, notes)
