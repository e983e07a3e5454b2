"""One training step, run operation by operation: where its first NaN or Inf came from."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from keras_l4 import keras_internals
from keras_l4.forensics import tracing
from keras_l4.forensics._backward import backward_cause
from keras_l4.forensics._blame import RootCause, blame
from keras_l4.forensics._cause import cause
from keras_l4.forensics._given import batch_cause, negative_variance, weights_cause


@dataclass(frozen=True)
class Origin:
    """Where the first number of a step came from that is not finite.

    Attributes:
        phase: The part of the step. "data" and "weights" are what it was given; "forward" is the
            call of the model, "loss" what makes one number of its outputs, and "backward" the
            derivatives, those of operations whose own infinities never reached the loss too.
        layer: Path of the layer as in the paths of its variables; "" for the batch and the loss.
        operation: Plain name of the operation: "exp", "divide", "matmul", "cast"; of a
            derivative, that of the differentiated operation where it is known. "" where no
            operation is to blame.
        cause: One sentence, with the numbers that met.
    """

    phase: Literal["data", "weights", "forward", "loss", "backward", "optimizer"]
    layer: str
    operation: str
    cause: str


@dataclass(frozen=True)
class LayerNumbers:
    """How many operations of a layer gave NaN or Inf in one step.

    Attributes:
        layer: Path of the layer.
        num_forward: Those in its call.
        num_backward: Those in the derivatives of its call.
    """

    layer: str
    num_forward: int
    num_backward: int


class Outcome(NamedTuple):
    """What the step came to.

    Attributes:
        loss: The loss, without the loss scale.
        gradients: Its gradients, without the loss scale, in the order of
            `model.trainable_variables`; None for a variable that the loss does not depend on
            (zeros on JAX).
        layers: How NaN and Inf went through the layers: one for each layer without layers of its
            own, in the order in which the model holds them.
    """

    loss: float
    gradients: list[np.ndarray | None]
    layers: list[LayerNumbers]


def birth(
    model: Any, x: Any, y: Any = None, sample_weight: Any = None
) -> tuple[Origin | None, Outcome]:
    """Runs one training step up to its gradients, and looks where NaN or Inf came from.

    The model is run as `fit` runs it, with `training=True`, its own `compute_loss`, the loss scale
    of its optimizer and the seeds as they stand, but one operation at a time and not compiled. Its
    variables, metrics and random state are afterwards as they were before.

    What an operation gives that is not finite is only a birth if it goes on, through numbers none
    of which is finite either, to the loss, to a gradient, or to the state that a layer assigns: an
    Inf that a mask or a `where` takes out again is none.

    Args:
        model: A compiled and built model whose variables hold the state before the step.
        x: The batch of inputs, as `train_step` is given it.
        y: The targets.
        sample_weight: The sample weights.

    Returns:
        The birth, or None where the loss, the gradients and the new state are finite; and what the
        step came to.
    """
    batch = (x, y, sample_weight)
    with keras_internals.same_random_state(), keras_internals.unchanged(model, batch):
        trace = tracing.trace_step(model, *batch)
    scaled = trace.gradients
    gradients = [None if g is None else _unscaled(g, trace.loss_scale) for g in scaled]
    found = blame(trace)
    born = None if found is None else _birth(found, trace, model, batch)
    return born, Outcome(trace.loss, gradients, _layers(trace, model))


def _layers(trace: tracing.StepTrace, model: Any) -> list[LayerNumbers]:
    places = Counter(node.place for node in trace.nodes if node.kind == "operation")
    paths = [keras_internals.layer_path(layer) for layer in keras_internals.leaf_layers(model)]
    return [
        LayerNumbers(
            path,
            places[tracing.OpLocation("forward", path)],
            places[tracing.OpLocation("backward", path)],
        )
        for path in paths
    ]


def _unscaled(gradient: np.ndarray, loss_scale: float) -> np.ndarray:
    return gradient if loss_scale == 1 else gradient / gradient.dtype.type(loss_scale)


def _birth(found: RootCause, trace: tracing.StepTrace, model: Any, batch: Any) -> Origin:
    node, layer = found.node, found.node.place.layer
    if node.kind == "data":
        return Origin("data", "", "", batch_cause(node.name, batch))
    if node.kind == "weights":
        path = node.name.rpartition("/")[0]
        return Origin("weights", path, "", weights_cause(model, node.name))
    if not found.in_loss:
        operation = node.differentiated or node.name
        return Origin("backward", layer, operation, backward_cause(found, trace.loss_scale))
    variance = negative_variance(model, layer)
    if variance:
        return Origin("weights", layer, node.name, variance)
    return Origin(node.place.phase, layer, node.name, cause(node))
