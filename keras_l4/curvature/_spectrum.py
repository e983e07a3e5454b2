"""spectrum: the eigenvalues of a model's Hessian."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Unpack

from keras_l4.curvature._density import Density
from keras_l4.curvature._effort import Effort, EffortArguments
from keras_l4.curvature._measured import SpectralEstimates, condition_number, measured
from keras_l4.curvature._meter import ProductCounter
from keras_l4.curvature._objective import Objective
from keras_l4.curvature._operator import Operator, block, hessian, preconditioned
from keras_l4.curvature._preconditioner import preconditioner


@dataclass(frozen=True)
class Spectrum:
    """What was measured of a Hessian's eigenvalues λ.

    Attributes:
        largest: λmax, the sharpness, whether or not it has the largest magnitude. In units of loss
            per squared unit of weight, as all of them.
        smallest: λmin; below 0 it is negative curvature.
        residuals: Of these two: an eigenvalue lies within that distance.
        trace: Sum of all eigenvalues.
        trace_error: Standard error of it; 0 where all eigenvalues are known.
        condition_number: κ = λmax/|λ|_q; NaN where no eigenvalue is positive. At most 1/(10ε), for
            smaller |λ| are rounding.
        is_lower_bound: Whether κ may be larger than that: it is rounding, or not all eigenvalues
            are known.
        quantile: q: a share q of the eigenvalues has at most the magnitude |λ|_q.
        density: How the eigenvalues are distributed.
        size: Number of them: weights that were looked at.
        num_hessian_vector_products: What it took.
        seconds: How long that took, compilation included.
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
        """The share of eigenvalues below -λmax/1000: those nearer to zero may have any sign."""
        return self.density.share_below(-abs(self.largest) / 1000)

    def __str__(self) -> str:
        largest, smallest = self.residuals
        about = "≥" if self.is_lower_bound else "="
        return "\n".join(
            [
                f"largest           {self.largest:.6g} ± {largest:.1g}",
                f"smallest          {self.smallest:.6g} ± {smallest:.1g}",
                f"trace             {self.trace:.6g} ± {self.trace_error:.1g}",
                f"condition number  {about} {self.condition_number:.4g} (λmax/|λ|_q, q = "
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
    **effort: Unpack[EffortArguments],
) -> Spectrum:
    """The eigenvalues of the Hessian of the loss of these data, by exact products with vectors.

    The loss is that of `evaluate`: dropout off, BatchNormalization with its moving statistics,
    regularizers added. Nothing of the model is changed.

    A model with no more weights than the products that it would take has its whole Hessian
    computed. Else λmax and λmin come from Lanczos' method with full reorthogonalisation, from a
    normal start (Lanczos 1950; Paige 1976), the trace from Rademacher vectors (Hutchinson 1990),
    the density from stochastic Lanczos quadrature (Lin, Saad, Yang 2016; Ghorbani, Krishnan, Xiao
    2019). Products are exact (Pearlmutter 1994) and cost 1.3 to 4 gradients each.

    Args:
        model: A compiled model.
        x: Inputs: an array, or a structure of them; all of them are used, in batches.
        y: Targets, likewise; None where the model adds its own loss.
        sample_weight: Weights of the examples, or None.
        layer: Path or name of a layer: only its block of the Hessian is looked at.
        preconditioned: Whether to look at P^-1/2 H P^-1/2, with P what the optimizer divides by as
            its slots are now: what is left for it of the differences in curvature.
        verbose: 1 prints the cost before it is paid, and a progress bar.
        **effort: `batch_size`, `max_steps`, `num_probes`, `num_steps`, `quantile`, `tolerance`,
            `seed`; see `keras_l4.curvature.Effort`.

    Raises:
        TypeError: The data are no arrays, but a dataset, for instance.
        ValueError: An argument is not as it should be, or the optimizer has no known P.
        NotImplementedError: A layer has no second derivative, or by a gradient of its own a wrong
            one; it is named.

    Example:

    >>> import keras_l4
    >>> bowl = keras_l4.surfaces.quadratic(condition_number=100.0)
    >>> found = spectrum(bowl.model("sgd"), *bowl.data())
    >>> round(found.largest, 3), round(found.smallest, 3), round(found.condition_number, 2)
    (100.0, 1.0, 100.0)
    """
    limits = Effort(**effort)
    objective = Objective(model, x, y, sample_weight, batch_size=limits.batch_size)
    return spectrum_of(_operator(model, objective, layer, preconditioned), limits, bool(verbose))


def spectrum_of(operator: Operator, effort: Effort, verbose: bool = False) -> Spectrum:
    """The spectrum of a matrix."""
    meter = ProductCounter(operator, effort.num_products(operator.size), verbose)
    found = measured(meter.operator, effort)
    meter.finish()
    return _spectrum(found, meter, effort)


def _operator(model: Any, objective: Objective, layer: str | None, scaled: bool) -> Operator:
    if layer is not None and scaled:
        raise ValueError("layer and preconditioned were both given: expected one of them.")
    if layer is not None:
        return block(objective, layer)
    whole = hessian(objective)
    return preconditioned(whole, preconditioner(model)) if scaled else whole


def _spectrum(found: SpectralEstimates, meter: ProductCounter, effort: Effort) -> Spectrum:
    ritz, epsilon = found.ritz, meter.operator.epsilon
    condition, is_bound = condition_number(ritz, found.density, effort.quantile, epsilon)
    return Spectrum(
        largest=float(ritz.values[-1]),
        smallest=float(ritz.values[0]),
        residuals=(float(ritz.residuals[-1]), float(ritz.residuals[0])),
        trace=found.trace,
        trace_error=found.trace_error,
        condition_number=condition,
        is_lower_bound=is_bound,
        quantile=effort.quantile,
        density=found.density,
        size=meter.operator.size,
        num_hessian_vector_products=meter.num_products,
        seconds=meter.seconds,
    )
