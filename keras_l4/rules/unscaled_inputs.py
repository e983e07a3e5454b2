"""unscaled-inputs: inputs whose scale makes the first layer ill-conditioned."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_l4.records.metadata import InputMetadata
from keras_l4.rules._base import Rule
from keras_l4.rules._evidence import RunView
from keras_l4.rules._finding import Finding
from keras_l4.rules._outcome import falls_short, skill

_SCALE = 10.0
_RATIO = 100.0
_MOST = 0.75
_NORMALIZING = {
    *("Normalization", "Rescaling", "BatchNormalization", "LayerNormalization"),
    *("GroupNormalization", "UnitNormalization", "Embedding", "Discretization", "Hashing"),
}


class UnscaledInputs(Rule):
    """Inputs whose scale makes the first layer ill-conditioned.

    What it does: looks at a sample of the inputs. A feature of more than 10 in root mean square,
        one of more than √10 that is a hundred times larger than another, any that is ten thousand
        times larger (pixels that are seldom lit may be thousands), or none above 0.01, is a smell; it becomes a warning where the model falls short of half of what could be learned,
        or of three quarters while most of the first activations pass no gradient. Inputs that go
        into an embedding, or are normalized by the first layer, are left out.
    Why it is bad: initializers, learning rates and activations are made for inputs of about 1.
        The Hessian of the first layer is the inputs' second moment: its condition number grows
        with the square of the ratios.
    What to do: standardize: `keras.layers.Normalization`, or `Rescaling(1 / 255)` for images.
    When it is wrong: another fault keeps the model from learning, and the inputs do no harm.
    Source: LeCun et al. 1998, "Efficient BackProp". Glorot's and He's derivations put unit
        variance in; ten means a hundred times its variance.
    """

    code = "unscaled-inputs"
    is_root = True

    def check(self, run: RunView) -> Iterator[Finding]:
        inputs = None if run.facts is None else run.facts.inputs
        if inputs is None or _normalized(run):
            return
        large = inputs.scale > _SCALE
        ratio = inputs.feature_ratio
        uneven = ratio > _RATIO**2 or (ratio > _RATIO and inputs.scale > _SCALE**0.5)
        small = inputs.scale < 1 / _RATIO
        if not (large or uneven or small):
            return
        short = falls_short(run) or (_first_layer_suffers(run) and skill(run) < _MOST)
        layers = () if run.facts is None or not run.facts.layers else (run.facts.layers[0].name,)
        yield Finding(
            code=self.code,
            title="The inputs are not scaled",
            severity="warning" if short else "info",
            layers=layers,
            first_step=run.first_step,
            last_step=run.last_step,
            evidence={
                "input_scale": inputs.scale,
                "input_scale_expected_below": _SCALE,
                "feature_ratio": inputs.feature_ratio,
                "feature_ratio_expected_below": _RATIO,
                "input_minimum": inputs.minimum,
                "input_maximum": inputs.maximum,
                "skill": float(np.round(skill(run), 4)),
            },
            explanation=_what(inputs)
            + (
                " The model falls short of what could be learned."
                if short
                else " It does no visible harm here."
            ),
            advice="Standardize them: `keras.layers.Normalization()` adapted to the training "
            "data, or `keras.layers.Rescaling(1 / 255)` for images. Large targets, too.",
        )


def _first_layer_suffers(run: RunView) -> bool:
    """Whether most of the first activations are where they pass no gradient."""
    layers = () if run.answer is None else run.answer.layers
    shares = [max(a.dead_units, np.nan_to_num(a.saturated_fraction)) for a in layers[:2]]
    return max(shares, default=0.0) > 0.5


def _normalized(run: RunView) -> bool:
    layers = () if run.facts is None else run.facts.layers
    first = next((layer for layer in layers if layer.kind not in ("Flatten", "Reshape")), None)
    return first is not None and first.kind in _NORMALIZING


def _what(inputs: InputMetadata) -> str:
    return (
        f"Inputs reach from {inputs.minimum:.3g} to {inputs.maximum:.3g}; the largest feature is "
        f"{inputs.scale:.3g} in root mean square; features differ by up to a factor of {inputs.feature_ratio:.3g}."
    )
