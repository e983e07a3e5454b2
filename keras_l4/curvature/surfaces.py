"""Classic test functions of two numbers, as Keras models; public as `keras_l4.surfaces`."""

from __future__ import annotations

from typing import Any

from keras_l4.curvature._surface import CriticalPoint, Surface

__all__ = [
    "CriticalPoint",
    "Surface",
    "beale",
    "himmelblau",
    "monkey_saddle",
    "quadratic",
    "quartic_plateau",
    "ravine",
    "rosenbrock",
    "saddle",
]

_HIMMELBLAU = (
    CriticalPoint(3.0, 2.0, "minimum"),
    CriticalPoint(-2.805118086952745, 3.131312518250573, "minimum"),
    CriticalPoint(-3.779310253377747, -3.2831859912861696, "minimum"),
    CriticalPoint(3.5844283403304917, -1.8481265269644036, "minimum"),
    CriticalPoint(-3.0730257507643897, -0.08135304428796751, "saddle"),
    CriticalPoint(-0.12796134673068005, -1.9537149802445766, "saddle"),
    CriticalPoint(0.08667750455539634, 2.884254701174776, "saddle"),
    CriticalPoint(3.385154183607021, 0.07385187983774928, "saddle"),
    CriticalPoint(-0.2708445906673476, -0.9230385564799815, "maximum"),
)


def quadratic(condition_number: float = 10.0) -> Surface:
    """(κx² + y²)/2: a bowl with curvatures κ and 1."""
    k = condition_number
    return Surface(
        name="quadratic",
        formula=lambda x, y: (k * x * x + y * y) / 2,
        slopes=lambda x, y: (k * x, y),
        curvatures=lambda x, y: (k, 0.0, 1.0),
        critical_points=(CriticalPoint(0.0, 0.0, "minimum"),),
        start=(1.0, 1.0),
    )


def ravine(condition_number: float = 1e4) -> Surface:
    """(κ(x - y)² + (x + y)²)/4: a straight ravine along the diagonal, with curvatures κ and 1."""
    k = condition_number
    return Surface(
        name="ravine",
        formula=lambda x, y: (k * (x - y) * (x - y) + (x + y) * (x + y)) / 4,
        slopes=lambda x, y: ((k * (x - y) + x + y) / 2, (k * (y - x) + x + y) / 2),
        curvatures=lambda x, y: ((1 + k) / 2, (1 - k) / 2, (1 + k) / 2),
        critical_points=(CriticalPoint(0.0, 0.0, "minimum"),),
        start=(1.1, 1.0),
    )


def rosenbrock() -> Surface:
    """(1 - x)² + 100(y - x²)²: a curved ravine (Rosenbrock 1960)."""
    return Surface(
        name="rosenbrock",
        formula=lambda x, y: (1 - x) * (1 - x) + 100 * (y - x * x) * (y - x * x),
        slopes=lambda x, y: (2 * (x - 1) - 400 * x * (y - x * x), 200 * (y - x * x)),
        curvatures=lambda x, y: (2 - 400 * y + 1200 * x * x, -400 * x, 200.0),
        critical_points=(CriticalPoint(1.0, 1.0, "minimum"),),
        start=(-1.2, 1.0),
    )


def beale() -> Surface:
    """Σᵢ (cᵢ - x + x yⁱ)², c = 1.5, 2.25, 2.625: plateaus, a ravine, a saddle (Beale 1958)."""
    constants = (1.5, 2.25, 2.625)

    def formula(x: Any, y: Any) -> Any:
        powers = (y, y * y, y * y * y)
        return sum(
            (c - x + x * p) * (c - x + x * p) for c, p in zip(constants, powers, strict=True)
        )

    def residuals(x: float, y: float) -> list[tuple[float, int]]:
        return [(c - x + x * y**i, i) for i, c in enumerate(constants, start=1)]

    def slopes(x: float, y: float) -> tuple[float, float]:
        by_x = sum(2 * r * (y**i - 1) for r, i in residuals(x, y))
        return by_x, sum(2 * r * x * i * y ** (i - 1) for r, i in residuals(x, y))

    def curvatures(x: float, y: float) -> tuple[float, float, float]:
        # The first and second derivative of yⁱ.
        first = {i: i * y ** (i - 1) for i in (1, 2, 3)}
        second = {1: 0.0, 2: 2.0, 3: 6 * y}
        xx = sum(2 * (y**i - 1) ** 2 for i in (1, 2, 3))
        xy = sum(2 * first[i] * (x * (y**i - 1) + r) for r, i in residuals(x, y))
        yy = sum(2 * x * (x * first[i] ** 2 + r * second[i]) for r, i in residuals(x, y))
        return xx, xy, yy

    points = (CriticalPoint(3.0, 0.5, "minimum"), CriticalPoint(0.0, 1.0, "saddle"))
    return Surface("beale", formula, slopes, curvatures, points, start=(1.0, 1.5))


def himmelblau() -> Surface:
    """(x² + y - 11)² + (x + y² - 7)²: four minima, four saddles, a maximum (Himmelblau 1972)."""
    return Surface(
        name="himmelblau",
        formula=lambda x, y: (
            (x * x + y - 11) * (x * x + y - 11) + (x + y * y - 7) * (x + y * y - 7)
        ),
        slopes=lambda x, y: (
            4 * x * (x * x + y - 11) + 2 * (x + y * y - 7),
            2 * (x * x + y - 11) + 4 * y * (x + y * y - 7),
        ),
        curvatures=lambda x, y: (
            12 * x * x + 4 * y - 42,
            4 * x + 4 * y,
            4 * x + 12 * y * y - 26,
        ),
        critical_points=_HIMMELBLAU,
        start=(0.0, 0.0),
    )


def saddle() -> Surface:
    """(x² - y²)/2: a saddle with curvatures 1 and -1."""
    return Surface(
        name="saddle",
        formula=lambda x, y: (x * x - y * y) / 2,
        slopes=lambda x, y: (x, -y),
        curvatures=lambda x, y: (1.0, 0.0, -1.0),
        critical_points=(CriticalPoint(0.0, 0.0, "saddle"),),
        start=(1.0, 0.01),
    )


def monkey_saddle() -> Surface:
    """x³ - 3xy²: a saddle with three descending and three ascending directions and Hessian 0."""
    return Surface(
        name="monkey_saddle",
        formula=lambda x, y: x * x * x - 3 * x * y * y,
        slopes=lambda x, y: (3 * x * x - 3 * y * y, -6 * x * y),
        curvatures=lambda x, y: (6 * x, -6 * y, -6 * x),
        critical_points=(CriticalPoint(0.0, 0.0, "degenerate"),),
        start=(1.0, 0.01),
    )


def quartic_plateau() -> Surface:
    """x⁴ + y⁴: a minimum with Hessian 0."""
    return Surface(
        name="quartic_plateau",
        formula=lambda x, y: x * x * x * x + y * y * y * y,
        slopes=lambda x, y: (4 * x**3, 4 * y**3),
        curvatures=lambda x, y: (12 * x * x, 0.0, 12 * y * y),
        critical_points=(CriticalPoint(0.0, 0.0, "degenerate"),),
        start=(1.0, 0.5),
    )
