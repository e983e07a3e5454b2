"""Finds the origin of the first NaN or Inf in one training step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from keras_l4 import keras_internals
from keras_l4.forensics import tracing
from keras_l4.forensics._input_causes import batch_cause, negative_variance, weights_cause
from keras_l4.forensics._operation_causes import backward_cause, forward_cause
from keras_l4.forensics._root_cause import RootCause, find_root_cause

# The order in which a step assigns variables: states of layers, then slots, then weights.
_ASSIGNMENT_ORDER = ("non_trainable", "optimizer", "trainable")


@dataclass(frozen=True)
class Origin:
    """Where the first NaN or Inf of a step comes from.

    Attributes:
        phase: Part of the step. `"data"` and `"weights"`: it was in the batch or in a variable
            before the step. `"forward"`: in the call of the model. `"loss"`: between the outputs
            of the model and the loss. `"backward"`: in the gradients only; the operation itself may
            be in the forward pass if its result did not reach the loss. `"optimizer"`: in the
            update.
        layer: Path of the layer, as in the paths of its variables; "" for the batch and the loss.
        operation: Plain name of the operation, such as "exp", "divide", "matmul" or "cast"; in the
            backward pass the differentiated operation, if it is known. "" if the origin is not an
            operation.
        cause: One sentence with the numbers involved.
    """

    phase: Literal["data", "weights", "forward", "loss", "backward", "optimizer"]
    layer: str
    operation: str
    cause: str


@dataclass(frozen=True)
class LayerNonFiniteCounts:
    """Number of operations of one layer with a non-finite result in one step.

    Attributes:
        layer: Path of the layer.
        num_forward: Number of operations in its call.
        num_backward: Number of operations in the derivatives of its call.
    """

    layer: str
    num_forward: int
    num_backward: int


class StepResult(NamedTuple):
    """Result of a traced step.

    Attributes:
        loss: Loss, without the loss scale.
        gradients: Gradients of the loss, without the loss scale, in the order of
            `model.trainable_variables`. For a variable that the loss does not depend on, None;
            on JAX, zeros.
        layers: One entry for each layer without sublayers, in the order of the model.
    """

    loss: float
    gradients: list[np.ndarray | None]
    layers: list[LayerNonFiniteCounts]


def find_origin(
    model: Any, x: Any, y: Any = None, sample_weight: Any = None
) -> tuple[Origin | None, StepResult]:
    """Runs one training step up to its gradients and finds the origin of NaN or Inf.

    The step runs as in `fit`: with `training=True`, the model's `compute_loss`, the loss scale of
    its optimizer and the current seeds, but operation by operation and not compiled. Variables,
    metrics and random states are restored afterwards.

    A non-finite result counts only if it spreads to the loss, to a gradient, or to the state that
    a layer assigns. An Inf that a mask or `where` removes does not count.

    Args:
        model: A compiled and built model, in the state before the step.
        x: Inputs of the batch, as `train_step` gets them.
        y: Targets.
        sample_weight: Sample weights.

    Returns:
        The origin, or None if the loss, the gradients and the new state are finite; and the result
        of the step.
    """
    batch = (x, y, sample_weight)
    with keras_internals.preserve_random_state(), keras_internals.preserve_state(model, batch):
        trace = tracing.trace_step(model, batch)
    gradients = [None if g is None else _unscale(g, trace.loss_scale) for g in trace.gradients]
    root = find_root_cause(trace)
    origin = None if root is None else _origin(root, trace, model, batch)
    return origin, StepResult(trace.loss, gradients, _layer_counts(trace, model))


def find_update_origin(
    model: Any,
    before: keras_internals.TrainingState,
    after: keras_internals.TrainingState,
    gradients: Sequence[np.ndarray | None],
) -> Origin | None:
    """Finds the origin in the update of a step whose gradients are finite.

    Args:
        model: The model.
        before: Training state before the step.
        after: Training state after the step.
        gradients: Gradients of the step.

    Returns:
        The origin, or None if `after` is finite where `before` is.
    """
    variables = keras_internals.state_variables(model)
    for slot, value in zip(variables["optimizer"], before["optimizer"], strict=True):
        if not _is_finite(value):
            cause = f"{_nonfinite_elements(slot.path, value)} were not finite before the step"
            return Origin("optimizer", _layer_of(model, slot), "", cause)
    for kind in _ASSIGNMENT_ORDER:
        for variable, old, new in zip(variables[kind], before[kind], after[kind], strict=True):
            if _is_finite(old) and not _is_finite(new):
                elements = _nonfinite_elements(variable.path, new)
                return _update_origin(kind, _layer_of(model, variable), elements, gradients)
    return None


def _layer_counts(trace: tracing.StepTrace, model: Any) -> list[LayerNonFiniteCounts]:
    counts = Counter(node.location for node in trace.nodes if node.kind == "operation")
    paths = [keras_internals.layer_path(layer) for layer in keras_internals.leaf_layers(model)]
    return [
        LayerNonFiniteCounts(
            path,
            counts[tracing.OpLocation("forward", path)],
            counts[tracing.OpLocation("backward", path)],
        )
        for path in paths
    ]


def _unscale(gradient: np.ndarray, loss_scale: float) -> np.ndarray:
    return gradient if loss_scale == 1 else gradient / gradient.dtype.type(loss_scale)


def _origin(root: RootCause, trace: tracing.StepTrace, model: Any, batch: Any) -> Origin:
    node, layer = root.node, root.node.location.layer
    if node.kind == "data":
        return Origin("data", "", "", batch_cause(node.name, batch))
    if node.kind == "weights":
        path = node.name.rpartition("/")[0]
        return Origin("weights", path, "", weights_cause(model, node.name))
    if not root.reaches_loss:
        operation = node.differentiated or node.name
        return Origin("backward", layer, operation, backward_cause(root, trace.loss_scale))
    # The square root of a negative moving variance: the variable is at fault, not the operation.
    variance_cause = negative_variance(model, layer)
    if variance_cause:
        return Origin("weights", layer, node.name, variance_cause)
    return Origin(node.location.phase, layer, node.name, forward_cause(node))


def _layer_of(model: Any, variable: Any) -> str:
    """Returns the path of the layer of a variable, or of the variable that a slot belongs to."""
    is_in_model = any(variable is v for v in model.variables)
    path = (
        variable.path
        if is_in_model
        else keras_internals.slot_owner(variable, model.trainable_variables)
    )
    return str(path.rpartition("/")[0])


def _nonfinite_elements(path: str, value: np.ndarray) -> str:
    return f"{path}: {np.count_nonzero(~np.isfinite(value))} of {value.size} elements"


def _is_finite(x: np.ndarray) -> bool:
    return x.dtype.kind != "f" or bool(np.isfinite(x).all())


def _update_origin(
    kind: str, layer: str, elements: str, gradients: Sequence[np.ndarray | None]
) -> Origin:
    if kind == "non_trainable":
        return Origin("forward", layer, "", f"{elements} are not finite after the step")
    max_abs = max((float(np.abs(g).max(initial=0)) for g in gradients if g is not None), default=0)
    cause = f"{elements} are not finite after the update; the largest gradient is {max_abs:.3g}"
    return Origin("optimizer", layer, "", cause)
