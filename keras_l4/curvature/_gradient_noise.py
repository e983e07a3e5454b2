"""Gradient noise scale: how much gradients of batches differ from the gradient of all data."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_l4.curvature._objective import Objective


def gradient_noise_scale(objective: Objective, gradient: np.ndarray, batch_size: int) -> float:
    """Returns B = tr Σ / |G|², in examples: in a batch of size B, noise is as large as signal.

    Computed from the squared norms of the gradients of half batches and of all data; numerator and
    denominator are averaged separately (McCandlish, Kaplan, Amodei 2018, appendix A).

    Args:
        objective: The loss.
        gradient: The gradient of all data, `float64[size]`.
        batch_size: Number of examples of a batch in training.

    Returns:
        The noise scale; infinity if the noise hides the gradient, and 0 if the gradients of all half
        batches are equal up to rounding.
    """
    half, whole = max(1, batch_size // 2), objective.num_examples
    if half >= whole:
        return 0.0
    half_norm = np.mean([g @ g for g in _gradients_of_parts(objective, half)])
    whole_norm = gradient @ gradient
    signal = (whole * whole_norm - half * half_norm) / (whole - half)
    noise = (half_norm - whole_norm) / (1 / half - 1 / whole)
    if noise <= objective.epsilon * half * whole_norm:
        return 0.0
    return float(noise / signal) if signal > 0 else float("inf")


def _gradients_of_parts(objective: Objective, num_examples: int) -> Iterator[np.ndarray]:
    """Yields the gradients of parts of the data of equal size; a smaller rest is left out."""
    for first in range(0, objective.num_examples - num_examples + 1, num_examples):
        yield objective.gradient(rows=slice(first, first + num_examples))[1]
