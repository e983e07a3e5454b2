"""The Keras optimizers in float64 NumPy, as in their papers and documentation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tests.quantities.numpy_reference import Array, ReferenceStep, norm


class Reference:
    """Second moments and effective learning rates of one optimizer.

    Args:
        learning_rate: A number, or a function of the number of previous calls.
        clip: Clips gradients, one per variable.
        **options: Arguments of the optimizer.
    """

    epsilon = 1e-7

    def __init__(
        self,
        learning_rate: float | Callable[[int], float],
        clip: Callable[[list[Array]], list[Array]] = list,
        **options: Any,
    ) -> None:
        self._schedule = learning_rate if callable(learning_rate) else lambda _: learning_rate
        self._clip = clip
        self.t = 0
        vars(self).update(options)

    def build(self, sizes: Sequence[int]) -> None:
        self.sizes = sizes
        self.v = [self.start(n) for n in sizes]

    def step(self, gradients: list[Array], calls: int) -> list[ReferenceStep]:
        """Computes one update.

        Args:
            gradients: One gradient per variable.
            calls: Number of previous calls.
        """
        self.learning_rate = float(self._schedule(calls))
        self.t += 1
        clipped = self._clip(gradients)
        self.v = [self.advance(i, g) for i, g in enumerate(clipped)]
        columns = zip(gradients, clipped, self.v, strict=True)
        return [self._reference_step(*column) for column in columns]

    def _reference_step(self, gradient: Array, clipped: Array, v: Array) -> ReferenceStep:
        unknown = np.full(len(v), np.nan)
        with np.errstate(invalid="ignore"):
            rates, rate = self.rate(v), self.rate(np.array([v.mean()]))
        sizes, is_dominated = np.array([len(v)]), self.is_epsilon_dominated(v)
        return ReferenceStep(gradient, clipped, unknown, unknown, rates, rate, sizes, is_dominated)

    def start(self, size: int) -> Array:
        return np.zeros(size)

    def advance(self, i: int, g: Array) -> Array:
        """Returns the second moment after a gradient."""
        return self.v[i]

    def rate(self, v: Array) -> Array:
        return np.full(len(v), self.learning_rate)

    def is_epsilon_dominated(self, v: Array) -> Array:
        return np.zeros(len(v), bool)


class SGD(Reference):
    pass


class Adagrad(Reference):
    initial_accumulator_value = 0.1

    def start(self, size: int) -> Array:
        return np.full(size, float(self.initial_accumulator_value))

    def advance(self, i: int, g: Array) -> Array:
        return self.v[i] + g**2

    def rate(self, v: Array) -> Array:
        return self.learning_rate / np.sqrt(v + self.epsilon)

    def is_epsilon_dominated(self, v: Array) -> Array:
        return v < self.epsilon


class RMSprop(Adagrad):
    initial_accumulator_value = 0.0
    rho = 0.9
    centered = False

    def build(self, sizes: Sequence[int]) -> None:
        super().build(sizes)
        self.squares = [np.zeros(n) for n in sizes]
        self.means = [np.zeros(n) for n in sizes]

    def advance(self, i: int, g: Array) -> Array:
        self.squares[i] = self.rho * self.squares[i] + (1 - self.rho) * g**2
        self.means[i] = self.rho * self.means[i] + (1 - self.rho) * g
        return self.squares[i] - self.means[i] ** 2 if self.centered else self.squares[i]


class Adam(Reference):
    beta_1 = 0.9
    beta_2 = 0.999
    amsgrad = False

    def build(self, sizes: Sequence[int]) -> None:
        super().build(sizes)
        self.velocities = [np.zeros(n) for n in sizes]

    def advance(self, i: int, g: Array) -> Array:
        self.velocities[i] = self.beta_2 * self.velocities[i] + (1 - self.beta_2) * g**2
        return np.maximum(self.v[i], self.velocities[i]) if self.amsgrad else self.velocities[i]

    def rate(self, v: Array) -> Array:
        bias_1, bias_2 = 1 - self.beta_1**self.t, 1 - self.beta_2**self.t
        return self.learning_rate * np.sqrt(bias_2) / bias_1 / (np.sqrt(v) + self.epsilon)

    def is_epsilon_dominated(self, v: Array) -> Array:
        return np.sqrt(v) < self.epsilon


class Nadam(Adam):
    def rate(self, v: Array) -> Array:
        return self.learning_rate / (np.sqrt(v / (1 - self.beta_2**self.t)) + self.epsilon)

    def is_epsilon_dominated(self, v: Array) -> Array:
        return np.sqrt(v / (1 - self.beta_2**self.t)) < self.epsilon


class Adamax(Adam):
    def advance(self, i: int, g: Array) -> Array:
        return np.maximum(self.beta_2 * self.v[i], np.abs(g))

    def rate(self, v: Array) -> Array:
        return self.learning_rate / (1 - self.beta_1**self.t) / (v + self.epsilon)

    def is_epsilon_dominated(self, v: Array) -> Array:
        return v < self.epsilon


class Adadelta(Reference):
    rho = 0.95

    def build(self, sizes: Sequence[int]) -> None:
        super().build(sizes)
        self.gradients = [np.zeros(n) for n in sizes]
        self.updates = [np.zeros(n) for n in sizes]

    def advance(self, i: int, g: Array) -> Array:
        before = self.updates[i]
        self.gradients[i] = self.rho * self.gradients[i] + (1 - self.rho) * g**2
        quotient = (self.gradients[i] + self.epsilon) / (before + self.epsilon)
        self.updates[i] = self.rho * before + (1 - self.rho) * g**2 / quotient
        return quotient

    def rate(self, v: Array) -> Array:
        return self.learning_rate / np.sqrt(v)


def clip_by_norm(limit: float) -> Callable[[list[Array]], list[Array]]:
    return lambda gradients: [g * min(1, limit / norm(g)) for g in gradients]


def clip_by_global_norm(limit: float) -> Callable[[list[Array]], list[Array]]:
    def clip(gradients: list[Array]) -> list[Array]:
        return [g * min(1, limit / norm(np.concatenate(gradients))) for g in gradients]

    return clip


def clip_by_value(limit: float) -> Callable[[list[Array]], list[Array]]:
    return lambda gradients: [np.clip(g, -limit, limit) for g in gradients]
