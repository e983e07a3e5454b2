"""Likeness: how steps that were run again compare with what was recorded of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from keras_l4.forensics.rerun import Rerun

_CLOSE = 1e-6


@dataclass(frozen=True)
class Likeness:
    """Of gradient norms and losses.

    Attributes:
        num_compared: Numbers that were compared.
        largest_difference: The largest relative one, 0 where they agree bit for bit.
        num_unlike: Gradient norms that are finite in only one of the two.
    """

    num_compared: int
    largest_difference: float
    num_unlike: int = 0

    @property
    def is_close(self) -> bool:
        """Whether they differ by no more than rounding does."""
        return not self.num_unlike and self.largest_difference <= _CLOSE

    def __str__(self) -> str:
        if self.num_unlike:
            return f"{self.num_unlike} gradient norms are finite only now, or were only then"
        if not self.num_compared:
            return "no step before it was recorded"
        if self.largest_difference == 0:
            return "gradient norms and losses are those recorded, bit for bit"
        if self.is_close:
            return f"gradient norms and losses are those recorded, within {_CLOSE:g}"
        return (
            "gradient norms or losses differ from those recorded by up to "
            f"{self.largest_difference:.1e}: other seeds, other hardware, or an operation whose "
            "result is not determined"
        )


def compared(steps: Sequence[Rerun], rows: Mapping[str, np.ndarray]) -> Likeness:
    """Compares the steps with the record of them."""
    by_step = {int(number): i for i, number in enumerate(rows["steps"])}
    pairs = [(step, by_step[step.number]) for step in steps if step.number in by_step]
    again = [np.append(step.norms, step.loss) for step, _ in pairs]
    recorded = [np.append(rows["gradient_norm"][i], rows["loss"][i]) for _, i in pairs]
    one, other = (np.concatenate([*x, np.zeros(0)]).astype(np.float32) for x in (again, recorded))
    known = np.isfinite(one) & np.isfinite(other)
    apart = np.abs(one[known] - other[known]) / np.maximum(np.abs(other[known]), np.float32(1e-30))
    unlike = [np.isfinite(step.norms) != np.isfinite(rows["gradient_norm"][i]) for step, i in pairs]
    return Likeness(int(known.sum()), float(apart.max(initial=0)), int(np.sum(unlike)))
