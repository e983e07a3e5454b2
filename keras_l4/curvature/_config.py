"""CurvatureConfig: how much work a measurement of the curvature may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict


class CurvatureArguments(TypedDict, total=False):
    """The fields of `CurvatureConfig`, as keyword arguments of a function."""

    batch_size: int
    max_steps: int
    num_probes: int
    num_steps: int
    quantile: float
    tolerance: float
    seed: int


@dataclass(frozen=True, kw_only=True)
class CurvatureConfig:
    """How a curvature is measured, and how much work that may take.

    Attributes:
        batch_size: Number of examples that are computed at once. The result does not depend on it.
        max_steps: Largest number of Lanczos steps for the extreme eigenvalues. Each step takes 8
            bytes per weight on the host.
        num_probes: Number of random vectors for the trace and the density; at least 2.
        num_steps: Number of Lanczos steps for each of these vectors.
        quantile: q of the condition number λmax/|λ|_q; 0 for the smallest |λ|.
        tolerance: Residual, relative to the magnitude, at which an extreme eigenvalue is accepted.
        seed: Seed of the random vectors.

    Raises:
        ValueError: A value is out of range.
    """

    batch_size: int = 256
    max_steps: int = 100
    num_probes: int = 10
    num_steps: int = 20
    quantile: float = 0.5
    tolerance: float = 1e-5
    seed: int = 0

    def __post_init__(self) -> None:
        minimums = {"batch_size": 1, "max_steps": 1, "num_probes": 2, "num_steps": 1, "seed": 0}
        for name, minimum in minimums.items():
            if getattr(self, name) < minimum:
                raise ValueError(f"{name}={getattr(self, name)!r}: expected at least {minimum}.")
        if not 0 <= self.quantile <= 1 or self.tolerance <= 0:
            raise ValueError(
                f"quantile={self.quantile!r}, tolerance={self.tolerance!r}: expected a share from "
                "0 to 1 and a positive number."
            )

    def max_products(self, size: int) -> int:
        """Returns the largest number of products with a Hessian of `size` rows for a spectrum."""
        return min(size, self.max_steps + self.num_probes * self.num_steps)
