"""Effort: how much a look at the curvature may cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from keras_l4.curvature._objective import BATCH_SIZE


class EffortArguments(TypedDict, total=False):
    """Keyword arguments; `Effort` says what they are."""

    batch_size: int
    max_steps: int
    num_probes: int
    num_steps: int
    quantile: float
    tolerance: float
    seed: int


@dataclass(frozen=True, kw_only=True)
class Effort:
    """What a look at the curvature may take.

    Attributes:
        batch_size: Examples that are computed at once; the result does not depend on it.
        max_steps: The most Lanczos steps for the extreme eigenvalues. Each takes 8 bytes per
            weight on the host.
        num_probes: Random vectors for the trace and the density; at least 2.
        num_steps: Lanczos steps for each of them.
        quantile: q of the condition number λmax/|λ|_q; 0 for the smallest |λ|.
        tolerance: Residual by magnitude at which an extreme eigenvalue is known well enough.
        seed: Of the random vectors.

    Raises:
        ValueError: One of them is out of range.
    """

    batch_size: int = BATCH_SIZE
    max_steps: int = 100
    num_probes: int = 10
    num_steps: int = 20
    quantile: float = 0.5
    tolerance: float = 1e-5
    seed: int = 0

    def __post_init__(self) -> None:
        least = {"batch_size": 1, "max_steps": 1, "num_probes": 2, "num_steps": 1, "seed": 0}
        for name, bound in least.items():
            if getattr(self, name) < bound:
                raise ValueError(f"{name}={getattr(self, name)!r}: expected at least {bound}.")
        if not 0 <= self.quantile <= 1 or self.tolerance <= 0:
            raise ValueError(
                f"quantile={self.quantile!r}, tolerance={self.tolerance!r}: expected a share from "
                "0 to 1 and a positive number."
            )

    def num_products(self, size: int) -> int:
        """The most products with a Hessian of `size` rows that a spectrum takes."""
        return min(size, self.max_steps + self.num_probes * self.num_steps)
