from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse.linalg import LinearOperator, eigsh

from keras_l4.curvature._config import CurvatureConfig
from keras_l4.curvature._eigenpairs import dense_eigenpairs, lanczos
from keras_l4.curvature._operator import Operator, preconditioned_operator
from keras_l4.curvature._spectrum import condition_number, estimate_spectrum

pytestmark = pytest.mark.any_backend


def matrix(values: np.ndarray) -> np.ndarray:
    """Returns a symmetric matrix with these eigenvalues."""
    rng = np.random.default_rng(0)
    basis, _ = np.linalg.qr(rng.normal(size=(len(values), len(values))))
    return (basis * values) @ basis.T


def operator(whole: np.ndarray) -> Operator:
    return Operator(len(whole), lambda vector: whole @ vector)


def start(size: int) -> np.ndarray:
    return np.random.default_rng(3).normal(size=size)


def test_largest_eigenvalue_is_found_beside_a_larger_magnitude() -> None:
    found = lanczos(operator(matrix(np.linspace(-5, 3, 300))), start(300), 200, 1e-4)
    assert found.values[[0, -1]] == pytest.approx([-5, 3], rel=1e-6)


def test_extreme_eigenvalues_agree_with_scipy() -> None:
    whole = matrix(np.random.default_rng(1).normal(size=500) ** 3)
    found = lanczos(operator(whole), start(500), 300, 1e-8)
    oracle = LinearOperator(whole.shape, matvec=lambda v: whole @ v, dtype=np.float64)

    for end, which in ((0, "SA"), (-1, "LA")):
        (expected,) = eigsh(oracle, k=1, which=which, return_eigenvectors=False)
        assert found.values[end] == pytest.approx(expected, rel=1e-7)
        error = whole @ found.vectors[:, end] - found.values[end] * found.vectors[:, end]
        assert np.linalg.norm(error) == pytest.approx(found.residuals[end], rel=1e-3)


def test_isolated_eigenvalue_is_found_once() -> None:
    # Without reorthogonalization it is found several times.
    values = np.append(np.linspace(0, 1, 199), 100.0)
    found = lanczos(operator(matrix(values)), start(200), 200, 1e-15)
    assert np.sum(found.values > 50) == 1


def test_lanczos_stops_in_an_invariant_space() -> None:
    found = lanczos(operator(matrix(np.array([2.0, 2.0, 2.0, 7.0, 7.0]))), start(5), 5, 1e-12)
    assert found.values == pytest.approx([2, 7])
    assert np.isfinite(lanczos(operator(np.zeros((4, 4))), start(4), 4, 1e-4).values).all()


def test_trace_and_density_are_within_their_error_bounds() -> None:
    values = np.concatenate([np.random.default_rng(2).normal(size=590) * 0.1, np.full(10, 5.0)])
    found = estimate_spectrum(operator(matrix(values)), CurvatureConfig(num_steps=30, max_steps=50))
    assert abs(found.trace - values.sum()) <= 3 * found.trace_error
    assert found.trace_error > 0

    for bound in (-0.2, 0.0, 0.2, 1.0):
        assert found.density.share_below(bound) == pytest.approx((values < bound).mean(), abs=0.05)
    expected = np.quantile(np.abs(values), 0.5, method="inverted_cdf")
    assert expected <= found.density.magnitude_quantile(0.5) <= 2 * expected


def test_all_eigenvalues_of_a_small_matrix_are_computed() -> None:
    values = np.array([-1.0, 0.5, 2.0, 4.0])
    found = estimate_spectrum(operator(matrix(values)), CurvatureConfig())
    assert found.eigenpairs.values == pytest.approx(values)
    assert (found.trace, found.trace_error) == (pytest.approx(5.5), 0.0)
    assert condition_number(found.eigenpairs, found.density, 0.5, 1e-16)[0] == pytest.approx(4.0)


def test_condition_number_beyond_rounding_is_a_lower_bound() -> None:
    pairs = dense_eigenpairs(operator(np.diag([1e-9, 1.0])))
    found = estimate_spectrum(operator(np.diag([1e-9, 1.0])), CurvatureConfig())
    assert condition_number(pairs, found.density, 0.0, 1e-7) == (pytest.approx(1e6), True)
    assert condition_number(pairs, found.density, 0.0, 1e-16) == (pytest.approx(1e9), False)


def test_preconditioned_operator_has_the_eigenvalues_of_the_quotient() -> None:
    whole, diagonal = matrix(np.array([-1.0, 1.0, 3.0])), np.array([0.5, 2.0, 8.0])
    found = dense_eigenpairs(preconditioned_operator(operator(whole), diagonal))
    expected = np.sort(np.linalg.eigvals(whole / diagonal[:, None]).real)
    assert found.values == pytest.approx(expected)
