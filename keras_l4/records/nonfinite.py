"""Finds the steps and variables with NaN, Inf or an overflowing gradient norm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from keras_l4.records.block import StepBlock

NonFiniteKind: TypeAlias = Literal["nan", "inf", "nan+inf", "overflow"]


@dataclass(frozen=True)
class NonFinite:
    """A variable's gradient that was not finite at one step, or whose norm overflows float32.

    Attributes:
        step: Step number, from 1.
        epoch: Epoch, from 0.
        batch: Batch within the epoch, from 0.
        variable: Path of the variable.
        num_nan: Number of NaN elements in its gradient.
        num_inf: Number of infinite elements in its gradient.
        num_elements: Number of elements of the variable.
        skipped: True if loss scaling skipped the step.
        loss_scale: Factor by which the loss was multiplied.
        skipped_by_guard: True if the update guard of a `FlightRecorder` skipped the step.
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
    skipped_by_guard: bool = False

    @property
    def kind(self) -> NonFiniteKind:
        """Kind of the elements; `"overflow"` if all of them are finite but the norm is not."""
        if self.num_nan and self.num_inf:
            return "nan+inf"
        if self.num_nan:
            return "nan"
        return "inf" if self.num_inf else "overflow"

    def __str__(self) -> str:
        if self.skipped_by_guard:
            return f"{self._description}; its update was not applied"
        if self.skipped:
            return f"{self._description}; skipped, at a loss scale of {self.loss_scale:g}"
        return self._description

    @property
    def _description(self) -> str:
        prefix = f"step {self.step} (epoch {self.epoch}, batch {self.batch}): "
        if self.kind == "overflow":
            return prefix + (
                f"the norm of the gradient of {self.variable} overflows float32, "
                f"though all of its {self.num_elements} elements are finite"
            )
        counts = {"NaN": self.num_nan, "Inf": self.num_inf}
        found = " and ".join(f"{number} {name}" for name, number in counts.items() if number)
        return prefix + f"{found} among the {self.num_elements} gradients of {self.variable}"


@dataclass(frozen=True)
class NonFiniteCounts:
    """Non-finite gradients of a block; each array is `[steps, variables]`.

    Attributes:
        num_nan: Number of NaN elements of the gradient, `int64`.
        num_inf: Number of infinite elements of the gradient, `int64`.
        overflow: `bool`; true if all elements are finite but the norm is not.
    """

    num_nan: np.ndarray
    num_inf: np.ndarray
    overflow: np.ndarray

    @property
    def is_nonfinite(self) -> np.ndarray:
        """`bool[steps, variables]`: true if an element or the norm is not finite."""
        return (self.num_nan + self.num_inf > 0) | self.overflow


def nonfinite_counts(block: StepBlock) -> NonFiniteCounts | None:
    """Counts the non-finite gradients of `block`.

    Returns:
        None if the block lacks `nan_count` or `inf_count`. A non-finite norm alone does not tell
        an overflow from a NaN or Inf element.
    """
    if not {"nan_count", "inf_count"} <= block.values.keys():
        return None
    num_nan, num_inf = _at_all_steps(block, "nan_count"), _at_all_steps(block, "inf_count")
    overflow = _has_infinite_norm(block) & (num_nan + num_inf == 0)
    return NonFiniteCounts(num_nan, num_inf, overflow)


def nonfinite_events(block: StepBlock) -> tuple[NonFinite, ...]:
    """Lists every variable and step of `block` with a non-finite gradient or gradient norm.

    Returns:
        Events sorted by step, then in forward order. Empty if the block lacks `nan_count` or
        `inf_count`.
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
            skipped=bool(block.skipped[row] and not block.skipped_by_guard[row]),
            skipped_by_guard=bool(block.skipped_by_guard[row]),
            loss_scale=float(block.loss_scale[row]),
        )
        for row, column in np.argwhere(counts.is_nonfinite)
    )


def _at_all_steps(block: StepBlock, quantity: str) -> np.ndarray:
    """Returns a count at all steps, `int64[steps, variables]`; 0 where it was not measured."""
    out = np.zeros((len(block), len(block.variables)), dtype=np.int64)
    out[block.rows(quantity)] = block.values[quantity]
    return out


def _has_infinite_norm(block: StepBlock) -> np.ndarray:
    out = np.zeros((len(block), len(block.variables)), dtype=bool)
    if "gradient_norm" in block.values:
        out[block.rows("gradient_norm")] = np.isinf(block.values["gradient_norm"])
    # At a step without counts, the norm may be infinite because an element is.
    counted = np.intersect1d(block.rows("nan_count"), block.rows("inf_count"))
    out[np.setdiff1d(np.arange(len(block)), counted)] = False
    return out
