"""Compares replayed steps with what was recorded of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from keras_l4.forensics.step_replay import ReplayedStep

_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Comparison:
    """Difference between the gradient norms and losses of a replay and those of the recording.

    Attributes:
        num_compared: Number of pairs in which both values are finite.
        max_relative_difference: Largest relative difference of such a pair; 0 if all pairs are
            equal bit for bit.
        num_finiteness_mismatches: Number of gradient norms that are finite in only one of the two.
    """

    num_compared: int
    max_relative_difference: float
    num_finiteness_mismatches: int = 0

    @property
    def is_close(self) -> bool:
        """True if the differences are within rounding error."""
        return not self.num_finiteness_mismatches and self.max_relative_difference <= _TOLERANCE

    def __str__(self) -> str:
        if self.num_finiteness_mismatches:
            return (
                f"{self.num_finiteness_mismatches} gradient norms are finite only in the replay or "
                "only in the recording"
            )
        if not self.num_compared:
            return "the recording has no finite values to compare with"
        if self.max_relative_difference == 0:
            return "gradient norms and losses match the recording bit for bit"
        if self.is_close:
            return f"gradient norms and losses match the recording within {_TOLERANCE:g}"
        return (
            "gradient norms or losses differ from the recording by up to "
            f"{self.max_relative_difference:.1e} (relative); possible reasons are other seeds, other "
            "hardware, or a nondeterministic operation"
        )


def compare_with_recording(
    steps: Sequence[ReplayedStep], rows: Mapping[str, np.ndarray]
) -> Comparison:
    """Compares replayed steps with the `rows` of their capsule, in float32."""
    row_by_step = {int(number): i for i, number in enumerate(rows["steps"])}
    pairs = [(step, row_by_step[step.number]) for step in steps if step.number in row_by_step]
    replayed = _concatenate([np.append(step.gradient_norms, step.loss) for step, _ in pairs])
    recorded = _concatenate(
        [np.append(rows["gradient_norm"][i], rows["loss"][i]) for _, i in pairs]
    )
    both_finite = np.isfinite(replayed) & np.isfinite(recorded)
    replayed, recorded = replayed[both_finite], recorded[both_finite]
    # The smallest denominator keeps a pair of zeros from being 0 / 0.
    differences = np.abs(replayed - recorded) / np.maximum(np.abs(recorded), np.float32(1e-30))
    mismatches = [
        np.isfinite(step.gradient_norms) != np.isfinite(rows["gradient_norm"][i])
        for step, i in pairs
    ]
    return Comparison(
        len(replayed), float(differences.max(initial=0)), sum(int(x.sum()) for x in mismatches)
    )


def _concatenate(arrays: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([*arrays, np.zeros(0)]).astype(np.float32)
