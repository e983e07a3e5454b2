"""What a spectrum is made of: extreme eigenvalues, trace and density of a matrix."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from keras_l4.curvature._density import Density, pooled
from keras_l4.curvature._effort import Effort
from keras_l4.curvature._lanczos import Krylov, Ritz, explore, solve
from keras_l4.curvature._operator import Operator


@dataclass(frozen=True)
class SpectralEstimates:
    """What was measured; see `Spectrum`."""

    ritz: Ritz
    trace: float
    trace_error: float
    density: Density


def measured(operator: Operator, effort: Effort) -> SpectralEstimates:
    """All eigenvalues, where that is no dearer; else the extremes, and estimates of the rest."""
    if operator.size == effort.num_products(operator.size):
        ritz = solve(operator)
        return SpectralEstimates(ritz, float(ritz.values.sum()), 0.0, ritz.density)
    rng = np.random.default_rng(effort.seed)
    start = rng.normal(size=operator.size)
    ritz = explore(operator, start, effort.max_steps, effort.tolerance)
    probes = [_probe(operator, rng, effort.num_steps) for _ in range(effort.num_probes)]
    traces = np.array([trace for trace, _ in probes])
    error = float(traces.std(ddof=1) / math.sqrt(len(traces)))
    return SpectralEstimates(
        ritz, float(traces.mean()), error, pooled([part for _, part in probes])
    )


def _probe(operator: Operator, rng: np.random.Generator, num_steps: int) -> tuple[float, Density]:
    """What one Rademacher vector z says: zᵀHz, and the spectrum as it sees it."""
    space = Krylov(operator, rng.choice([-1.0, 1.0], operator.size), num_steps)
    while not space.diagonal or not space.is_complete:
        space.grow()
    return operator.size * space.diagonal[0], space.density()


def condition_number(
    ritz: Ritz, density: Density, quantile: float, epsilon: float
) -> tuple[float, bool]:
    """λmax/|λ|_q, and whether it is a lower bound.

    It is where not all eigenvalues are known, and where |λ|_q is less than what rounding leaves.
    """
    largest, small = float(ritz.values[-1]), density.magnitude_quantile(quantile)
    if largest <= 0:
        return float("nan"), False
    least = 10 * epsilon * largest
    return largest / max(small, least), small < least or not ritz.is_whole
