"""Where an update of finite gradients left something that is not finite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_l4 import keras_internals
from keras_l4.forensics.step_trace import Origin

# In the order in which a step writes them: layers in the forward pass, then slots, then weights.
_ORDER = ("non_trainable", "optimizer", "trainable")


def update_birth(
    model: Any,
    before: keras_internals.State,
    after: keras_internals.State,
    gradients: Sequence[np.ndarray | None],
) -> Origin | None:
    """What a step with finite gradients left non-finite first; None if nothing."""
    variables = keras_internals.state_variables(model)
    for slot, value in zip(variables["optimizer"], before["optimizer"], strict=True):
        if not _is_finite(value):
            cause = f"{_found(slot.path, value)} were not finite before the step"
            return Origin("optimizer", _layer(model, slot), "", cause)
    for kind in _ORDER:
        for variable, old, new in zip(variables[kind], before[kind], after[kind], strict=True):
            if _is_finite(old) and not _is_finite(new):
                found = _found(variable.path, new)
                return _born(kind, _layer(model, variable), found, gradients)
    return None


def _layer(model: Any, variable: Any) -> str:
    """That of a variable, or of the variable that a slot belongs to."""
    in_model = any(variable is v for v in model.variables)
    path = (
        variable.path
        if in_model
        else keras_internals.slot_owner(variable, model.trainable_variables)
    )
    return str(path.rpartition("/")[0])


def _found(path: str, value: np.ndarray) -> str:
    return f"{path}: {np.count_nonzero(~np.isfinite(value))} of {value.size} elements"


def _is_finite(x: np.ndarray) -> bool:
    return x.dtype.kind != "f" or bool(np.isfinite(x).all())


def _born(kind: str, layer: str, found: str, gradients: Sequence[np.ndarray | None]) -> Origin:
    if kind == "non_trainable":
        return Origin("forward", layer, "", f"{found} are not finite after the step")
    largest = max((float(np.abs(g).max(initial=0)) for g in gradients if g is not None), default=0)
    cause = f"{found} are not finite after the update; the largest gradient is {largest:.3g}"
    return Origin("optimizer", layer, "", cause)
