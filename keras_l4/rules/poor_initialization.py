"""poor-initialization: initial weights that shrink or blow up the signal, or are all the same."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_l4.records.metadata import VariableMetadata
from keras_l4.rules._base import Rule
from keras_l4.rules._evidence import RunView
from keras_l4.rules._finding import Finding
from keras_l4.rules._outcome import falls_short, learned_little, skill

_SQRT10 = 10**0.5
_DECADE = 10.0


class PoorInitialization(Rule):
    """Initial weights that shrink or blow up the signal, or are all the same.

    What it does: compares the root mean square of each initial kernel with the range from Glorot's
        √(2 / (fan in + fan out)) to He's √(2 / fan in): by what factor it is outside. It warns
        where the product of the ratios over all layers, the gain of the signal, is a tenth or less
        and the model learns little; where it is ten or more, or a layer's is, or a hidden kernel
        has equal units, and the model falls short of half of what could be learned.
    Why it is bad: a signal that shrinks or grows from layer to layer takes the gradient with it;
        units that begin equal stay equal.
    What to do: `"he_normal"` for relu, `"glorot_uniform"` (the default) for tanh and sigmoid.
    When it is wrong: normalization layers undo the scale; there the model learns.
    Source: Glorot & Bengio 2010; He et al. 2015. The range holds LeCun's, too. One layer may be
        outside by √10, a tenth or tenfold in variance (SageMaker Debugger's bound, too), and the
        gain of all by ten: with what is left a signal of 1 is still seen.
    """

    code = "poor-initialization"
    is_root = True

    def check(self, run: RunView) -> Iterator[Finding]:
        facts = run.facts
        if facts is None or facts.iterations or run.spoiled_at == run.first_step:
            return
        embedded = {layer.name for layer in facts.layers if layer.kind == "Embedding"}
        kernels = [v for v in facts.variables if _is_kernel(v) and v.layer not in embedded]
        if not kernels:
            return
        symmetric = [v for v in kernels[:-1] if v.symmetric]
        ratios = np.array([_ratio(v) for v in kernels])
        if symmetric:
            yield _finding(run, symmetric, ratios, falls_short(run), "equal")
        elif _shrinks(ratios):
            worst = [v for v, r in zip(kernels, ratios, strict=True) if r < 1 / _SQRT10]
            yield _finding(run, worst or kernels, ratios, learned_little(run), "small")
        elif _blows_up(ratios):
            worst = [v for v, r in zip(kernels, ratios, strict=True) if r > _SQRT10]
            yield _finding(run, worst or kernels, ratios, falls_short(run), "large")


def _is_kernel(variable: VariableMetadata) -> bool:
    """The biases of attention are matrices, too."""
    return bool(variable.fan_in) and not variable.path.endswith("bias")


def _ratio(variable: VariableMetadata) -> float:
    """Factor by which the root mean square is below Glorot's, or above He's; 1 in between."""
    size = max(float(np.hypot(variable.mean, variable.std)), 1e-12)
    glorot = float(np.sqrt(2 / (variable.fan_in + variable.fan_out)))
    he = float(np.sqrt(2 / variable.fan_in))
    return size / min(max(size, glorot), he)


def _shrinks(ratios: np.ndarray) -> bool:
    low = ratios < 1 / _SQRT10
    return bool(low.any() and np.prod(ratios) < 1 / _DECADE and len(ratios) > 1)


def _blows_up(ratios: np.ndarray) -> bool:
    high = ratios > _SQRT10
    return bool(high.any() and (np.prod(ratios) > _DECADE or ratios.max() > _DECADE))


def _finding(
    run: RunView, variables: list[VariableMetadata], ratios: np.ndarray, bad: bool, kind: str
) -> Finding:
    names = ", ".join(v.path for v in variables[:3])
    what = {
        "equal": f"All units of {names} begin with the same weights, so that they stay equal.",
        "small": f"The initial weights of {names} are so small that the signal through all layers "
        f"shrinks to {np.prod(ratios):.2g} of what Glorot initialization passes.",
        "large": f"The initial weights of {names} are so large that the signal through all layers "
        f"grows to {np.prod(ratios):.2g} times what He initialization passes.",
    }[kind]
    return Finding(
        code="poor-initialization",
        title="The initialization does not fit the layers",
        severity="warning" if bad else "info",
        layers=tuple(dict.fromkeys(v.layer for v in variables)),
        first_step=run.first_step,
        last_step=run.last_step,
        evidence={
            "kind": kind,
            "gain": float(np.prod(ratios)),
            "smallest_factor": float(ratios.min()),
            "largest_factor": float(ratios.max()),
            "expected_within_factor": _DECADE,
            "skill": skill(run),
        },
        explanation=what + ("" if bad else " It does no visible harm here."),
        advice='Use `kernel_initializer="he_normal"` before relu, `"glorot_uniform"` otherwise.',
    )
