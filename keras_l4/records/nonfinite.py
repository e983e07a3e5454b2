"""Which step and which variable saw NaN, Inf or an overflowing norm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from keras_l4.records.block import StepBlock

Kind = Literal["nan", "inf", "nan+inf", "overflow"]


@dataclass(frozen=True)
class NonFinite:
    """A gradient that was not finite at one step, or whose norm float32 cannot hold.

    Attributes:
        step: Step number, from 1.
        epoch: Epoch, from 0.
        batch: Batch within the epoch, from 0.
        variable: Path of the variable.
        num_nan: Number of NaN elements in its gradient.
        num_inf: Number of infinite elements in its gradient.
        num_elements: Number of elements of the variable.
        skipped: Whether loss scaling skipped the step.
        held: Whether a `FlightRecorder` held its update back.
        loss_scale: What the loss was multiplied by.
    """

    step: int
    epoch: int
    batch: int
    variable: str
    num_nan: int
    num_inf: int
    num_elements: int
    skipped: bool = False
    loss_scale: float = 1.0
    held: bool = False

    @property
    def kind(self) -> Kind:
        """What was seen; `"overflow"` where every element was finite but the norm was not."""
        if self.num_nan and self.num_inf:
            return "nan+inf"
        if self.num_nan:
            return "nan"
        return "inf" if self.num_inf else "overflow"

    def __str__(self) -> str:
        if self.held:
            return f"{self._found}; its update was not applied"
        if self.skipped:
            return f"{self._found}; skipped, at a loss scale of {self.loss_scale:g}"
        return self._found

    @property
    def _found(self) -> str:
        where = f"step {self.step} (epoch {self.epoch}, batch {self.batch}): "
        if self.kind == "overflow":
            return where + (
                f"the norm of the gradient of {self.variable} overflows float32, "
                f"though all of its {self.num_elements} elements are finite"
            )
        counts = {"NaN": self.num_nan, "Inf": self.num_inf}
        found = " and ".join(f"{number} {name}" for name, number in counts.items() if number)
        return where + f"{found} among the {self.num_elements} gradients of {self.variable}"


@dataclass(frozen=True)
class Counts:
    """What was not finite in a block, `[steps, variables]` each.

    Attributes:
        num_nan: `int64`: NaN elements of the gradient.
        num_inf: `int64`: infinite elements.
        overflow: `bool`: every element is finite, the norm is not.
    """

    num_nan: np.ndarray
    num_inf: np.ndarray
    overflow: np.ndarray

    @property
    def hits(self) -> np.ndarray:
        """`bool[steps, variables]`: where anything was seen."""
        return (self.num_nan + self.num_inf > 0) | self.overflow


def nonfinite_counts(block: StepBlock) -> Counts | None:
    """None where the block has no `nan_count` and `inf_count`: a norm alone does not tell."""
    if not {"nan_count", "inf_count"} <= block.values.keys():
        return None
    num_nan, num_inf = _every_step(block, "nan_count"), _every_step(block, "inf_count")
    overflow = _infinite_norm(block) & (num_nan + num_inf == 0)
    return Counts(num_nan, num_inf, overflow)


def nonfinite_events(block: StepBlock) -> tuple[NonFinite, ...]:
    """Every variable and step of `block` with a non-finite gradient or gradient norm.

    Returns:
        In order of steps, then forward order. Empty where the block has no `nan_count` and
        `inf_count`: without them a norm alone does not tell what happened.
    """
    counts = nonfinite_counts(block)
    if counts is None:
        return ()
    return tuple(
        NonFinite(
            step=int(block.steps[row]),
            epoch=int(block.epochs[row]),
            batch=int(block.batches[row]),
            variable=block.variables[column].path,
            num_nan=int(counts.num_nan[row, column]),
            num_inf=int(counts.num_inf[row, column]),
            num_elements=block.variables[column].size,
            skipped=bool(block.skipped[row] and not block.held[row]),
            held=bool(block.held[row]),
            loss_scale=float(block.loss_scale[row]),
        )
        for row, column in np.argwhere(counts.hits)
    )


def _every_step(block: StepBlock, count: str) -> np.ndarray:
    out = np.zeros((len(block), len(block.variables)), dtype=np.int64)
    out[block.rows(count)] = block.values[count]
    return out


def _infinite_norm(block: StepBlock) -> np.ndarray:
    """Only where the counts were taken too, so that an overflow is told from an Inf."""
    out = np.zeros((len(block), len(block.variables)), dtype=bool)
    if "gradient_norm" in block.values:
        out[block.rows("gradient_norm")] = np.isinf(block.values["gradient_norm"])
    counted = np.intersect1d(block.rows("nan_count"), block.rows("inf_count"))
    out[np.setdiff1d(np.arange(len(block)), counted)] = False
    return out
