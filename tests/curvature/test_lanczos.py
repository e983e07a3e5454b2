from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse.linalg import LinearOperator, eigsh

from keras_l4.curvature._effort import Effort
from keras_l4.curvature._lanczos import explore, solve
from keras_l4.curvature._measured import condition_number, measured
from keras_l4.curvature._operator import Operator, preconditioned

pytestmark = pytest.mark.any_backend


def matrix(values: np.ndarray) -> np.ndarray:
    """Symmetric, with these eigenvalues."""
    rng = np.random.default_rng(0)
    basis, _ = np.linalg.qr(rng.normal(size=(len(values), len(values))))
    return (basis * values) @ basis.T


def operator(whole: np.ndarray) -> Operator:
    return Operator(len(whole), lambda vector: whole @ vector)


def start(size: int) -> np.ndarray:
    return np.random.default_rng(3).normal(size=size)


def test_the_largest_is_not_the_largest_magnitude() -> None:
    found = explore(operator(matrix(np.linspace(-5, 3, 300))), start(300), 200, 1e-4)
    assert found.values[[0, -1]] == pytest.approx([-5, 3], rel=1e-6)


def test_extremes_are_those_of_scipy() -> None:
    whole = matrix(np.random.default_rng(1).normal(size=500) ** 3)
    found = explore(operator(whole), start(500), 300, 1e-8)
    oracle = LinearOperator(whole.shape, matvec=lambda v: whole @ v, dtype=np.float64)

    for end, which in ((0, "SA"), (-1, "LA")):
        (expected,) = eigsh(oracle, k=1, which=which, return_eigenvectors=False)
        assert found.values[end] == pytest.approx(expected, rel=1e-7)
        error = whole @ found.vectors[:, end] - found.values[end] * found.vectors[:, end]
        assert np.linalg.norm(error) == pytest.approx(found.residuals[end], rel=1e-3)


def test_no_eigenvalue_comes_twice() -> None:
    # Without reorthogonalisation the isolated one is found again and again.
    values = np.append(np.linspace(0, 1, 199), 100.0)
    found = explore(operator(matrix(values)), start(200), 200, 1e-15)
    assert np.sum(found.values > 50) == 1


def test_an_exhausted_space_ends_the_search() -> None:
    found = explore(operator(matrix(np.array([2.0, 2.0, 2.0, 7.0, 7.0]))), start(5), 5, 1e-12)
    assert found.values == pytest.approx([2, 7])
    assert np.isfinite(explore(operator(np.zeros((4, 4))), start(4), 4, 1e-4).values).all()


def test_trace_and_density_are_within_their_errors() -> None:
    values = np.concatenate([np.random.default_rng(2).normal(size=590) * 0.1, np.full(10, 5.0)])
    found = measured(operator(matrix(values)), Effort(num_steps=30, max_steps=50))
    assert abs(found.trace - values.sum()) <= 3 * found.trace_error
    assert found.trace_error > 0

    for bound in (-0.2, 0.0, 0.2, 1.0):
        assert found.density.share_below(bound) == pytest.approx((values < bound).mean(), abs=0.05)
    expected = np.quantile(np.abs(values), 0.5, method="inverted_cdf")
    assert expected <= found.density.magnitude_quantile(0.5) <= 2 * expected


def test_a_small_matrix_is_known_whole() -> None:
    values = np.array([-1.0, 0.5, 2.0, 4.0])
    found = measured(operator(matrix(values)), Effort())
    assert found.ritz.values == pytest.approx(values)
    assert (found.trace, found.trace_error) == (pytest.approx(5.5), 0.0)
    assert condition_number(found.ritz, found.density, 0.5, 1e-16)[0] == pytest.approx(4.0)


def test_a_condition_number_that_rounding_hides_is_a_lower_bound() -> None:
    ritz = solve(operator(np.diag([1e-9, 1.0])))
    found = measured(operator(np.diag([1e-9, 1.0])), Effort())
    assert condition_number(ritz, found.density, 0.0, 1e-7) == (pytest.approx(1e6), True)
    assert condition_number(ritz, found.density, 0.0, 1e-16) == (pytest.approx(1e9), False)


def test_preconditioning_keeps_the_eigenvalues_of_the_quotient() -> None:
    whole, diagonal = matrix(np.array([-1.0, 1.0, 3.0])), np.array([0.5, 2.0, 8.0])
    found = solve(preconditioned(operator(whole), diagonal))
    expected = np.sort(np.linalg.eigvals(whole / diagonal[:, None]).real)
    assert found.values == pytest.approx(expected)
