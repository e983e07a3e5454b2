"""Helpers of the presets that apply the published thresholds of other tools."""

from __future__ import annotations

import numpy as np

from keras_l4.records.annotations import ActivationStats
from keras_l4.rules._finding import Finding
from keras_l4.rules._run_view import RunView
from keras_l4.rules._statistics import finite_median, last_quarter

# Ratio of mean magnitude to root mean square for a normal distribution. The tools test the mean
# magnitude of a gradient, but norms are what is recorded.
_MEAN_ABS_OF_NORMAL = float(np.sqrt(2 / np.pi))


def published_finding(
    run: RunView, code: str, tool: str, measured: float, threshold: float
) -> Finding:
    """Returns a finding with the code of the default rule that detects the same problem."""
    return Finding(
        code=code,
        title=f"{tool}: {code}",
        severity="warning",
        layers=(),
        first_step=run.first_step,
        last_step=run.last_step,
        evidence={"measured": measured, "threshold": threshold},
        explanation=f"{measured:.3g} is beyond the threshold {threshold:g} of {tool}.",
        advice="This is the published threshold of another tool, for comparison. See the findings "
        'of `rules="default"`.',
    )


def late_gradient_norms(run: RunView) -> np.ndarray:
    """`float64[kernels]`: median gradient norm in the last quarter of the run."""
    return finite_median(last_quarter(run.values("gradient_norm")))[run.kernels]


def smallest_mean_abs_gradient(run: RunView) -> float:
    """Returns the smallest late mean |g| of all kernels, estimated from the norms."""
    root_mean_squares = late_gradient_norms(run) / np.sqrt(run.variable_sizes[run.kernels])
    return float(np.nanmin(np.append(_MEAN_ABS_OF_NORMAL * root_mean_squares, np.inf)))


def has_nonfinite_gradients(run: RunView) -> bool:
    """Returns True if a gradient contained NaN or Inf."""
    return any(event.kind != "overflow" for event in run.events)


def last_activation_stats(run: RunView, activations: set[str]) -> list[ActivationStats]:
    """Returns the last statistics of the layers with one of these activations."""
    stats = run.probes[-1].layers if run.probes else ()
    return [layer for layer in stats if run.activations.get(layer.name) in activations]


def logged_values(run: RunView, metric: str) -> np.ndarray:
    """`float64[epochs]`: a metric in the logs of the epochs."""
    return np.array([logs.logs[metric] for logs in run.epoch_logs if metric in logs.logs])


def initial_variances(run: RunView) -> list[float]:
    """Returns the variance of each initial kernel."""
    variables = run.metadata.variables if run.metadata else ()
    return [variable.std**2 for variable in variables if variable.fan_in]
