"""spectrum: the eigenvalues of a model's Hessian."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np

from keras_l4.curvature._config import CurvatureArguments, CurvatureConfig
from keras_l4.curvature._cost import ProductCounter
from keras_l4.curvature._density import Density, mean_density
from keras_l4.curvature._eigenpairs import Eigenpairs, KrylovSpace, dense_eigenpairs, lanczos
from keras_l4.curvature._objective import Objective
from keras_l4.curvature._operator import (
    Operator,
    hessian_operator,
    layer_operator,
    preconditioned_operator,
)
from keras_l4.curvature._preconditioner import preconditioner


@dataclass(frozen=True)
class Spectrum:
    """Measurements of the eigenvalues λ of a Hessian, in units of loss per squared unit of weight.

    Attributes:
        largest: λmax, the sharpness, even if λmin has the larger magnitude.
        smallest: λmin. If it is below 0, the loss has negative curvature.
        residuals: Error bounds of λmax and λmin: an eigenvalue lies within that distance.
        trace: The sum of all eigenvalues.
        trace_error: Standard error of the trace; 0 if all eigenvalues were computed.
        condition_number: κ = λmax/|λ|_q; NaN if no eigenvalue is positive. It is at most 1/(10ε),
            since smaller |λ| are rounding.
        is_lower_bound: True if κ may be larger, since |λ|_q is rounding, or since not all eigenvalues
            were computed.
        quantile: q: a share q of the eigenvalues has at most the magnitude |λ|_q.
        density: The distribution of the eigenvalues.
        size: Number of eigenvalues, which is the number of weights.
        num_hessian_vector_products: Number of products of the measurement.
        seconds: Duration of the measurement, including compilation.
    """

    largest: float
    smallest: float
    residuals: tuple[float, float]
    trace: float
    trace_error: float
    condition_number: float
    is_lower_bound: bool
    quantile: float
    density: Density
    size: int
    num_hessian_vector_products: int
    seconds: float

    @property
    def negative_share(self) -> float:
        """Share of eigenvalues below -λmax/1000. The sign of those closer to zero is uncertain."""
        return self.density.share_below(-abs(self.largest) / 1000)

    def __str__(self) -> str:
        largest, smallest = self.residuals
        relation = "≥" if self.is_lower_bound else "="
        return "\n".join(
            [
                f"largest           {self.largest:.6g} ± {largest:.1g}",
                f"smallest          {self.smallest:.6g} ± {smallest:.1g}",
                f"trace             {self.trace:.6g} ± {self.trace_error:.1g}",
                f"condition number  {relation} {self.condition_number:.4g} (λmax/|λ|_q, q = "
                f"{self.quantile:g})",
                f"negative          {self.negative_share:.1%} of {self.size} eigenvalues (below "
                "-λmax/1000)",
                f"cost              {self.num_hessian_vector_products} Hessian-vector products, "
                f"{self.seconds:.2g} s",
            ]
        )


def spectrum(
    model: Any,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    layer: str | None = None,
    preconditioned: bool = False,
    verbose: int = 0,
    **config: Unpack[CurvatureArguments],
) -> Spectrum:
    """Measures the eigenvalues of the Hessian of the loss of these data, by exact products.

    The loss is that of `evaluate`: dropout is off, BatchNormalization uses its moving statistics,
    regularizers are included. The model is not changed.

    If the model has no more weights than the number of products that would be necessary, its whole
    Hessian is computed. Otherwise λmax and λmin come from Lanczos' method with full
    reorthogonalization and a normal start vector (Lanczos 1950; Paige 1976), the trace from
    Rademacher vectors (Hutchinson 1990), the density from stochastic Lanczos quadrature (Lin, Saad,
    Yang 2016; Ghorbani, Krishnan, Xiao 2019). Products are exact (Pearlmutter 1994) and cost 1.3 to 4
    gradients each.

    Args:
        model: A compiled model.
        x: Inputs: an array, or a structure of arrays. All examples are used, in batches.
        y: Targets: an array, or a structure of arrays; None if the model adds its own loss.
        sample_weight: Weights of the examples, or None.
        layer: Path or name of a layer, to measure only its block of the Hessian.
        preconditioned: Whether to measure P^-1/2 H P^-1/2, with P the diagonal by which the optimizer
            divides at its present state: the curvature that the optimizer sees.
        verbose: 1 prints the expected cost before the measurement, and shows a progress bar.
        **config: Fields of `keras_l4.curvature.CurvatureConfig`: `batch_size`, `max_steps`,
            `num_probes`, `num_steps`, `quantile`, `tolerance`, `seed`.

    Raises:
        TypeError: The data are not arrays, but a dataset, for instance.
        ValueError: An argument is invalid, or P is not known for the optimizer.
        NotImplementedError: A layer has no second derivative, or a wrong one because of a custom
            gradient; the layer is named.

    Example:

    >>> import keras_l4
    >>> bowl = keras_l4.surfaces.quadratic(condition_number=100.0)
    >>> result = spectrum(bowl.model("sgd"), *bowl.data())
    >>> round(result.largest, 3), round(result.smallest, 3), round(result.condition_number, 2)
    (100.0, 1.0, 100.0)
    """
    settings = CurvatureConfig(**config)
    objective = Objective(model, x, y, sample_weight, batch_size=settings.batch_size)
    operator = _select_operator(model, objective, layer, preconditioned)
    return operator_spectrum(operator, settings, bool(verbose))


def operator_spectrum(
    operator: Operator, config: CurvatureConfig, verbose: bool = False
) -> Spectrum:
    """Measures the spectrum of a symmetric matrix."""
    counter = ProductCounter(operator, config.max_products(operator.size), verbose)
    estimates = estimate_spectrum(counter.operator, config)
    counter.finish()
    pairs = estimates.eigenpairs
    condition, is_lower_bound = condition_number(
        pairs, estimates.density, config.quantile, operator.epsilon
    )
    return Spectrum(
        largest=float(pairs.values[-1]),
        smallest=float(pairs.values[0]),
        residuals=(float(pairs.residuals[-1]), float(pairs.residuals[0])),
        trace=estimates.trace,
        trace_error=estimates.trace_error,
        condition_number=condition,
        is_lower_bound=is_lower_bound,
        quantile=config.quantile,
        density=estimates.density,
        size=operator.size,
        num_hessian_vector_products=counter.num_products,
        seconds=counter.seconds,
    )


def _select_operator(
    model: Any, objective: Objective, layer: str | None, is_preconditioned: bool
) -> Operator:
    if layer is not None and is_preconditioned:
        raise ValueError("layer and preconditioned were both given: expected one of them.")
    if layer is not None:
        return layer_operator(objective, layer)
    hessian = hessian_operator(objective)
    if not is_preconditioned:
        return hessian
    return preconditioned_operator(hessian, preconditioner(model))


@dataclass(frozen=True)
class SpectralEstimates:
    """Estimates from which a `Spectrum` is made; see there."""

    eigenpairs: Eigenpairs
    trace: float
    trace_error: float
    density: Density


def estimate_spectrum(operator: Operator, config: CurvatureConfig) -> SpectralEstimates:
    """Computes all eigenvalues if that takes no more products; else extremes and estimates."""
    if operator.size == config.max_products(operator.size):
        pairs = dense_eigenpairs(operator)
        return SpectralEstimates(pairs, float(pairs.values.sum()), 0.0, pairs.density)
    rng = np.random.default_rng(config.seed)
    start = rng.normal(size=operator.size)
    pairs = lanczos(operator, start, config.max_steps, config.tolerance)
    samples = [_sample_trace(operator, rng, config.num_steps) for _ in range(config.num_probes)]
    traces = np.array([trace for trace, _ in samples])
    return SpectralEstimates(
        pairs,
        trace=float(traces.mean()),
        trace_error=float(traces.std(ddof=1) / math.sqrt(len(traces))),
        density=mean_density([density for _, density in samples]),
    )


def _sample_trace(
    operator: Operator, rng: np.random.Generator, num_steps: int
) -> tuple[float, Density]:
    """Returns zᵀHz, an estimate of the trace, and the density, for one Rademacher vector z."""
    space = KrylovSpace(operator, rng.choice([-1.0, 1.0], operator.size), num_steps)
    while not space.diagonal or not space.is_complete:
        space.grow()
    # The first diagonal element is zᵀHz/‖z‖², and ‖z‖² = size.
    return operator.size * space.diagonal[0], space.density()


def condition_number(
    pairs: Eigenpairs, density: Density, quantile: float, epsilon: float
) -> tuple[float, bool]:
    """Returns λmax/|λ|_q, and True if it is a lower bound.

    It is a lower bound if not all eigenvalues were computed, or if |λ|_q is within rounding.
    """
    largest, magnitude = float(pairs.values[-1]), density.magnitude_quantile(quantile)
    if largest <= 0:
        return float("nan"), False
    precision = 10 * epsilon * largest
    return largest / max(magnitude, precision), magnitude < precision or not pairs.is_complete
