"""Gradient noise: how much the gradient of a batch differs from that of all the data."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_l4.curvature._objective import Objective


def gradient_noise_scale(objective: Objective, gradient: np.ndarray, batch_size: int) -> float:
    """B = tr Σ / |G|², in examples: a batch of that size has as much noise as signal.

    From the squared norms of the gradients of half batches and of all the data, numerator and
    denominator each averaged first (McCandlish, Kaplan, Amodei 2018, appendix A). Infinite where
    no gradient is left beneath the noise; 0 where all the examples pull alike.

    Args:
        objective: The loss.
        gradient: Of all the data, `float64[size]`.
        batch_size: That of training.
    """
    half, whole = max(1, batch_size // 2), objective.num_examples
    if half >= whole:
        return 0.0
    small = np.mean([g @ g for g in _gradients(objective, half)])
    large = gradient @ gradient
    signal = (whole * large - half * small) / (whole - half)
    noise = (small - large) / (1 / half - 1 / whole)
    # Where the halves agree, rounding is left.
    if noise <= objective.epsilon * half * large:
        return 0.0
    return float(noise / signal) if signal > 0 else float("inf")


def _gradients(objective: Objective, rows: int) -> Iterator[np.ndarray]:
    """Of parts of the data with so many examples; what is left at the end is left out."""
    for first in range(0, objective.num_examples - rows + 1, rows):
        yield objective.gradient(where=slice(first, first + rows))[1]
