"""unscaled-inputs: inputs whose scale makes the first layer ill-conditioned."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from keras_l4.records.metadata import InputMetadata
from keras_l4.rules._base import Rule
from keras_l4.rules._finding import Finding
from keras_l4.rules._run_view import RunView
from keras_l4.rules._skill import final_skill, underfits

_MAX_SCALE = 10.0
_MAX_FEATURE_RATIO = 100.0
_MIN_SCALE = 0.01
# Below this skill, inactive first layers make unscaled inputs a warning.
_SKILL_OF_INACTIVE = 0.75
_MAX_INACTIVE_FRACTION = 0.5
_NUM_FIRST_LAYERS = 2
_RESHAPING_LAYERS = ("Flatten", "Reshape")
_NORMALIZING_LAYERS = {
    *("Normalization", "Rescaling", "BatchNormalization", "LayerNormalization"),
    *("GroupNormalization", "UnitNormalization", "Embedding", "Discretization", "Hashing"),
}


class UnscaledInputs(Rule):
    """Inputs whose scale makes the first layer ill-conditioned.

    What it does: looks at the root mean square of each feature in a sample of the inputs. Reports a
        largest feature above 10 or below 0.01; one above √10 that is 100 times larger than
        another; or a ratio of features above 10⁴ (pixels that are rarely lit reach thousands). It
        is a warning if the model underfits (skill below 0.5), or if its skill is below 0.75 and
        most of the first activations pass no gradient; otherwise info. Inputs that are embedded
        or normalized by the first layer are ignored.
    Why it is bad: initializers, learning rates and activations assume inputs of about 1. The
        Hessian of the first layer is proportional to the second moment of the inputs, so its
        condition number grows with the square of the ratio.
    What to do: standardize with `keras.layers.Normalization`, or `Rescaling(1 / 255)` for images.
    When it is wrong: another fault keeps the model from learning, and the inputs are harmless.
    Source: LeCun et al. 1998, "Efficient BackProp". Glorot's and He's initialization assume unit
        variance; a scale of 10 is 100 times that variance.
    """

    code = "unscaled-inputs"
    is_root = True

    def check(self, run: RunView) -> Iterator[Finding]:
        inputs = None if run.metadata is None else run.metadata.inputs
        if inputs is None or _is_normalized(run) or not _is_unscaled(inputs):
            return
        skill = final_skill(run)
        is_harmful = underfits(run) or (_is_inactive(run) and skill < _SKILL_OF_INACTIVE)
        yield Finding(
            code=self.code,
            title="The inputs are not scaled",
            severity="warning" if is_harmful else "info",
            layers=tuple(layer.name for layer in run.layers[:1]),
            first_step=run.first_step,
            last_step=run.last_step,
            evidence={
                "input_scale": inputs.scale,
                "input_scale_expected_below": _MAX_SCALE,
                "feature_ratio": inputs.feature_ratio,
                "feature_ratio_expected_below": _MAX_FEATURE_RATIO,
                "input_minimum": inputs.minimum,
                "input_maximum": inputs.maximum,
                "skill": float(np.round(skill, 4)),
            },
            explanation=f"The inputs range from {inputs.minimum:.3g} to {inputs.maximum:.3g}; the "
            f"largest feature has a root mean square of {inputs.scale:.3g}, and features differ by "
            f"a factor of up to {inputs.feature_ratio:.3g}."
            + (" The model underfits." if is_harmful else " It does no visible harm here."),
            advice="Standardize the inputs: `keras.layers.Normalization()` adapted to the training "
            "data, or `keras.layers.Rescaling(1 / 255)` for images. Standardize large targets, too.",
        )


def _is_unscaled(inputs: InputMetadata) -> bool:
    ratio = inputs.feature_ratio
    is_uneven = ratio > _MAX_FEATURE_RATIO and inputs.scale > _MAX_SCALE**0.5
    is_very_uneven = ratio > _MAX_FEATURE_RATIO**2
    return inputs.scale > _MAX_SCALE or inputs.scale < _MIN_SCALE or is_uneven or is_very_uneven


def _is_inactive(run: RunView) -> bool:
    """Returns True if most units of a first layer are dead, or most elements are saturated."""
    layers = () if run.last_finite_probe is None else run.last_finite_probe.layers
    fractions = [
        max(layer.dead_unit_fraction, np.nan_to_num(layer.saturated_fraction))
        for layer in layers[:_NUM_FIRST_LAYERS]
    ]
    return max(fractions, default=0.0) > _MAX_INACTIVE_FRACTION


def _is_normalized(run: RunView) -> bool:
    """Returns True if the first layer that is not a reshape normalizes or embeds its inputs."""
    first = next((layer for layer in run.layers if layer.kind not in _RESHAPING_LAYERS), None)
    return first is not None and first.kind in _NORMALIZING_LAYERS
