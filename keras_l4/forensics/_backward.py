"""Causes of what only the gradients show."""

from __future__ import annotations

import math

from keras_l4.forensics._blame import RootCause
from keras_l4.forensics._cause import cause
from keras_l4.forensics._numbers import number
from keras_l4.forensics.tracing import Node

_STEEP_AT_ZERO = {"sqrt", "rsqrt", "log", "power", "cbrt"}


def backward_cause(found: RootCause, loss_scale: float) -> str:
    """Why the gradients are not finite although the loss is.

    Args:
        found: Who is to blame.
        loss_scale: What the loss was multiplied by.
    """
    node = found.node
    if node.differentiated in _STEEP_AT_ZERO and _took_zero(node):
        vanishes = math.isnan(_result(node)) or _meets_zero(found)
        times = "0 x Inf: " if vanishes else ""
        return f"{times}{node.differentiated} at 0 has an infinite derivative"
    if node.place.phase == "backward":
        return cause(node) + _derivative_of(node) + _under_scale(node, loss_scale)
    if not found.taken_by and loss_scale != 1:
        return f"{cause(node)} when the loss is scaled by {number(loss_scale)}"
    times = "0 x Inf: " if _meets_zero(found) else ""
    return f"{times}{cause(node)}, which the loss leaves out, but its derivative does not"


def _result(node: Node) -> float:
    return node.evidence.result if node.evidence else math.nan


def _took_zero(node: Node) -> bool:
    return node.evidence is not None and 0 in node.evidence.operands


def _meets_zero(found: RootCause) -> bool:
    """Whether its infinity is multiplied by zero, which is NaN: the trap of `where`."""
    return any(
        taker.name == "multiply" and _took_zero(taker) and math.isnan(_result(taker))
        for taker in found.taken_by
    )


def _derivative_of(node: Node) -> str:
    return f", in the derivative of {node.differentiated}" if node.differentiated else ""


def _under_scale(node: Node, loss_scale: float) -> str:
    overflows = loss_scale != 1 and math.isinf(_result(node))
    return f", with the loss scaled by {number(loss_scale)}" if overflows else ""
