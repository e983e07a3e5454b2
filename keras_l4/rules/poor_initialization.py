"""poor-initialization: initial weights that are too small, too large, or equal for all units."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

import numpy as np

from keras_l4.records.metadata import VariableMetadata
from keras_l4.rules._base import Rule
from keras_l4.rules._finding import Finding
from keras_l4.rules._run_view import RunView
from keras_l4.rules._skill import final_skill, is_no_better_than_constant, underfits

_MAX_FACTOR = 10**0.5
_MAX_GAIN = 10.0
_Kind: TypeAlias = Literal["equal", "small", "large"]


class PoorInitialization(Rule):
    """Initial weights that are too small, too large, or equal for all units.

    What it does: compares the root mean square of each initial kernel with the range from
        Glorot's √(2 / (fan in + fan out)) to He's √(2 / fan in). The factors by which the
        kernels are outside of it multiply to the gain of the signal. Reports kernels outside of
        the range by √10 if the gain is below 0.1 or above 10, or one factor is above 10; and
        hidden kernels with equal units. It is a warning if the model underfits (skill below 0.5;
        for small weights, if it is no better than a constant prediction), otherwise info.
    Why it is bad: a signal that shrinks or grows from layer to layer does the same to the gradient.
        Units that start equal stay equal.
    What to do: use `"he_normal"` for relu, and `"glorot_uniform"` (the default) for tanh and
        sigmoid.
    When it is wrong: normalization layers undo the scale; then the model learns.
    Source: Glorot & Bengio 2010; He et al. 2015. The range includes LeCun's initialization. √10
        is a factor of 10 in variance, as in SageMaker Debugger. With a gain of 10, the signal
        is still visible in the output.
    """

    code = "poor-initialization"
    is_root = True

    def check(self, run: RunView) -> Iterator[Finding]:
        metadata = run.metadata
        if metadata is None or metadata.iterations or run.nonfinite_since == run.first_step:
            return
        embeddings = {layer.name for layer in metadata.layers if layer.kind == "Embedding"}
        kernels = [v for v in metadata.variables if _is_kernel(v) and v.layer not in embeddings]
        if not kernels:
            return
        # Equal units are common in the last kernel, whose units get different gradients.
        symmetric = [v for v in kernels[:-1] if v.is_symmetric]
        factors = np.array([_factor(v) for v in kernels])
        if symmetric:
            yield _finding(run, symmetric, factors, underfits(run), "equal")
        elif _is_too_small(factors):
            worst = [v for v, f in zip(kernels, factors, strict=True) if f < 1 / _MAX_FACTOR]
            yield _finding(run, worst, factors, is_no_better_than_constant(run), "small")
        elif _is_too_large(factors):
            worst = [v for v, f in zip(kernels, factors, strict=True) if f > _MAX_FACTOR]
            yield _finding(run, worst, factors, underfits(run), "large")


def _is_kernel(variable: VariableMetadata) -> bool:
    # The biases of attention layers are matrices, hence the second condition.
    return bool(variable.fan_in) and not variable.path.endswith("bias")


def _factor(variable: VariableMetadata) -> float:
    """Returns root mean square / Glorot's if smaller, / He's if larger, and 1 in between."""
    size = max(float(np.hypot(variable.mean, variable.std)), 1e-12)
    glorot = float(np.sqrt(2 / (variable.fan_in + variable.fan_out)))
    he = float(np.sqrt(2 / variable.fan_in))
    return size / min(max(size, glorot), he)


def _is_too_small(factors: np.ndarray) -> bool:
    is_low = factors < 1 / _MAX_FACTOR
    return bool(is_low.any() and np.prod(factors) < 1 / _MAX_GAIN and len(factors) > 1)


def _is_too_large(factors: np.ndarray) -> bool:
    is_high = factors > _MAX_FACTOR
    return bool(is_high.any() and (np.prod(factors) > _MAX_GAIN or factors.max() > _MAX_GAIN))


def _finding(
    run: RunView,
    variables: list[VariableMetadata],
    factors: np.ndarray,
    is_harmful: bool,
    kind: _Kind,
) -> Finding:
    gain = float(np.prod(factors))
    paths = ", ".join(v.path for v in variables[:3])
    explanation = {
        "equal": f"All units of {paths} start with the same weights, so they stay equal.",
        "small": f"The initial weights of {paths} are too small: the signal through all layers "
        f"shrinks to {gain:.2g} of its size with Glorot initialization.",
        "large": f"The initial weights of {paths} are too large: the signal through all layers "
        f"grows to {gain:.2g} times its size with He initialization.",
    }[kind]
    return Finding(
        code="poor-initialization",
        title="The initialization does not fit the layers",
        severity="warning" if is_harmful else "info",
        layers=tuple(dict.fromkeys(v.layer for v in variables)),
        first_step=run.first_step,
        last_step=run.last_step,
        evidence={
            "kind": kind,
            "gain": gain,
            "smallest_factor": float(factors.min()),
            "largest_factor": float(factors.max()),
            "expected_within_factor": _MAX_GAIN,
            "skill": final_skill(run),
        },
        explanation=explanation + ("" if is_harmful else " It does no visible harm here."),
        advice='Use `kernel_initializer="he_normal"` for relu, `"glorot_uniform"` otherwise.',
    )
