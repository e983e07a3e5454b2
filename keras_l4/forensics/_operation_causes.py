"""Explains why an operation produced NaN or Inf, with the numbers involved."""

from __future__ import annotations

import math
from collections.abc import Callable

from keras_l4.forensics._number_format import DTYPE_MAX, format_dtype_max, format_number
from keras_l4.forensics._root_cause import RootCause
from keras_l4.forensics.tracing import Node, OperandSample

_ARITHMETIC: dict[str, tuple[str, Callable[[float, float], float]]] = {
    "add": ("+", lambda a, b: a + b),
    "subtract": ("-", lambda a, b: a - b),
    "multiply": ("x", lambda a, b: a * b),
    "divide": ("/", lambda a, b: a / b),
}
# A non-finite result means that the argument is outside of the domain, not that it overflows.
_LIMITED_DOMAIN = {"log", "log1p", "sqrt", "rsqrt", "acos", "asin", "acosh", "atanh"}
_INFINITE_DERIVATIVE_AT_ZERO = {"sqrt", "rsqrt", "log", "power", "cbrt"}


def forward_cause(node: Node) -> str:
    """Returns why an operation with finite inputs has a non-finite result."""
    name, sample = node.name, node.sample
    if sample is None:
        return name
    if not name:
        return f"a compiled function returned {format_number(sample.result)}"
    if any(size == 0 for size in sample.sizes):
        return f"0 / 0: {name} of an empty tensor"
    if len(sample.operands) == 1:
        return _unary_cause(name, sample.operands[0], sample)
    if len(sample.operands) == 2:
        return _binary_cause(name, *sample.operands, sample)
    return _reduction_cause(name, sample)


def backward_cause(root: RootCause, loss_scale: float) -> str:
    """Returns why the gradients are not finite although the loss is.

    Args:
        root: The root cause.
        loss_scale: Factor by which the loss was multiplied.
    """
    node = root.node
    if node.differentiated in _INFINITE_DERIVATIVE_AT_ZERO and _has_zero_operand(node):
        is_product = math.isnan(_result(node)) or _is_multiplied_by_zero(root)
        prefix = "0 x Inf: " if is_product else ""
        return f"{prefix}{node.differentiated} at 0 has an infinite derivative"
    if node.location.phase == "backward":
        return forward_cause(node) + _derivative_of(node) + _at_loss_scale(node, loss_scale)
    if not root.consumers and loss_scale != 1:
        # The scaled loss itself overflows: it is the last operation of the forward pass.
        return f"{forward_cause(node)} when the loss is scaled by {format_number(loss_scale)}"
    # Such as where(x > 0, sqrt(x), 0): the forward pass discards the NaN, its derivative does not.
    prefix = "0 x Inf: " if _is_multiplied_by_zero(root) else ""
    return f"{prefix}{forward_cause(node)}; this is masked out of the loss, but not of its gradient"


def _unary_cause(name: str, x: float, sample: OperandSample) -> str:
    if not math.isfinite(x):
        return f"{name} of a constant {format_number(x)}"
    if name == "reciprocal" and not x:
        return "division by zero: 1 / 0"
    if name == "cast":
        return _exceeds_dtype(x, sample.dtype)
    if name in _LIMITED_DOMAIN or not x:
        return f"{name} of {format_number(x) if x else 'exactly 0'}"
    # exp overflows at the logarithm of the largest number.
    log_max = f"{math.log(DTYPE_MAX[sample.dtype]):.1f}"
    limit = log_max if name == "exp" else format_dtype_max(sample.dtype)
    return f"{name} of {format_number(x)} overflows {sample.dtype} (limit {limit})"


def _binary_cause(name: str, a: float, b: float, sample: OperandSample) -> str:
    if name == "power":
        return f"{format_number(a)} to the power {format_number(b)}"
    if name not in _ARITHMETIC:
        return _reduction_cause(name, sample)
    sign, function = _ARITHMETIC[name]
    if name == "divide" and not b and a and math.isfinite(a):
        return f"division by zero: {format_number(a)} / 0"
    if math.isnan(sample.result):
        return _undefined_result(name, sign, a, b)
    if name == "divide" and not b:
        return f"{format_number(a)} / 0"
    exact = function(a, b)
    if sample.dtype == "float16" and math.isfinite(exact):
        return _exceeds_dtype(exact, sample.dtype)
    expression = f"{format_number(a)} {sign} {format_number(b)}"
    return f"{expression} overflows {sample.dtype} (limit {format_dtype_max(sample.dtype)})"


def _undefined_result(name: str, sign: str, a: float, b: float) -> str:
    if math.isnan(a) or math.isnan(b):
        return f"{name} with a constant NaN"
    if name == "add" and math.isinf(a) and math.isinf(b):
        return "Inf - Inf"
    if name == "multiply" and not b:
        a, b = b, a
    return f"{format_number(abs(a))} {sign} {format_number(abs(b))}"


def _reduction_cause(name: str, sample: OperandSample) -> str:
    if sample.exact_dot_product is not None and sample.dtype == "float16":
        return _exceeds_dtype(sample.exact_dot_product, sample.dtype)
    if not sample.max_abs:
        return f"{name} returned {format_number(sample.result)}"
    numbers = " and ".join(format_number(x) for x in sample.max_abs)
    if math.isnan(sample.result):
        return f"{name} of numbers up to {numbers} returned NaN"
    limit = format_dtype_max(sample.dtype)
    return f"{name} of numbers up to {numbers} overflows {sample.dtype} (limit {limit})"


def _exceeds_dtype(exact: float, dtype: str) -> str:
    return f"{dtype}: {format_number(abs(exact))} > {format_dtype_max(dtype)}"


def _result(node: Node) -> float:
    return node.sample.result if node.sample else math.nan


def _has_zero_operand(node: Node) -> bool:
    return node.sample is not None and 0 in node.sample.operands


def _is_multiplied_by_zero(root: RootCause) -> bool:
    """Returns True if a consumer multiplies the infinity by zero, which is NaN.

    The derivative of `where` does so with the branch that the forward pass discards.
    """
    return any(
        consumer.name == "multiply"
        and _has_zero_operand(consumer)
        and math.isnan(_result(consumer))
        for consumer in root.consumers
    )


def _derivative_of(node: Node) -> str:
    return f", in the derivative of {node.differentiated}" if node.differentiated else ""


def _at_loss_scale(node: Node, loss_scale: float) -> str:
    overflows = loss_scale != 1 and math.isinf(_result(node))
    return f", with the loss scaled by {format_number(loss_scale)}" if overflows else ""
