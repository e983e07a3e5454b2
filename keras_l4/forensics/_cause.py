"""Causes in plain words, with the numbers that met."""

from __future__ import annotations

import math
from collections.abc import Callable

from keras_l4.forensics._numbers import LIMITS, limit, number
from keras_l4.forensics.tracing import Node, OperandSample

_SIGNS: dict[str, tuple[str, Callable[[float, float], float]]] = {
    "add": ("+", lambda a, b: a + b),
    "subtract": ("-", lambda a, b: a - b),
    "multiply": ("x", lambda a, b: a * b),
    "divide": ("/", lambda a, b: a / b),
}

# These have no value there, however large the numbers may be.
_UNDEFINED = {"log", "log1p", "sqrt", "rsqrt", "acos", "asin", "acosh", "atanh"}


def cause(node: Node) -> str:
    """Why an operation gave what is not finite."""
    name, seen = node.name, node.evidence
    if seen is None:
        return name
    if not name:
        return f"a compiled function gives {number(seen.result)}"
    if any(size == 0 for size in seen.sizes):
        return f"0 / 0: {name} of no elements"
    if len(seen.operands) == 1:
        return _of_one(name, seen.operands[0], seen)
    if len(seen.operands) == 2:
        return _of_two(name, *seen.operands, seen)
    return _of_many(name, seen)


def _of_one(name: str, x: float, seen: OperandSample) -> str:
    if not math.isfinite(x):
        return f"{name} of a constant {number(x)}"
    if name == "reciprocal" and not x:
        return "division by zero: 1 / 0"
    if name == "cast":
        return _over(x, seen)
    if name in _UNDEFINED or not x:
        return f"{name} of {number(x) if x else 'exactly 0'}"
    most = f"{math.log(LIMITS[seen.dtype]):.1f}" if name == "exp" else limit(seen.dtype)
    return f"{name} of {number(x)} overflows {seen.dtype} (limit {most})"


def _of_two(name: str, a: float, b: float, seen: OperandSample) -> str:
    if name not in _SIGNS:
        return f"{number(a)} to the power {number(b)}" if name == "power" else _of_many(name, seen)
    sign, function = _SIGNS[name]
    if name == "divide" and not b and a and math.isfinite(a):
        return f"division by zero: {number(a)} / 0"
    if math.isnan(seen.result):
        return _undefined(name, sign, a, b)
    if name == "divide" and not b:
        return f"{number(a)} / 0"
    exact = function(a, b)
    if seen.dtype == "float16" and math.isfinite(exact):
        return _over(exact, seen)
    return f"{number(a)} {sign} {number(b)} overflows {seen.dtype} (limit {limit(seen.dtype)})"


def _undefined(name: str, sign: str, a: float, b: float) -> str:
    if math.isnan(a) or math.isnan(b):
        return f"{name} with a constant NaN"
    if name == "add" and math.isinf(a) and math.isinf(b):
        return "Inf - Inf"
    if name == "multiply" and not b:
        a, b = b, a
    return f"{number(abs(a))} {sign} {number(abs(b))}"


def _of_many(name: str, seen: OperandSample) -> str:
    if seen.sum_of_products is not None and seen.dtype == "float16":
        return _over(seen.sum_of_products, seen)
    if not seen.largest:
        return f"{name} gives {number(seen.result)}"
    numbers = " and ".join(number(x) for x in seen.largest)
    if math.isnan(seen.result):
        return f"{name} of numbers up to {numbers} gives NaN"
    return f"{name} of numbers up to {numbers} overflows {seen.dtype} (limit {limit(seen.dtype)})"


def _over(exact: float, seen: OperandSample) -> str:
    return f"{seen.dtype}: {number(abs(exact))} > {limit(seen.dtype)}"
