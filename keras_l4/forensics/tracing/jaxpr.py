"""JAX: evaluates the equations of a jaxpr one by one and logs those with non-finite results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax.numpy as jnp
import numpy as np
from jax.experimental.sparse import JAXSparse
from jax.extend.core import ClosedJaxpr, Literal

from keras_l4.forensics.tracing.log import NonFiniteOpLog, OpLocation, Value

Array: TypeAlias = Any
Atom: TypeAlias = Any
"""A variable or a literal of a jaxpr."""

# Primitives that contain a jaxpr, and the parameter that holds it. They are evaluated equation by
# equation instead of as a whole.
_CALL_PRIMITIVES = {
    "jit": "jaxpr",
    "closed_call": "call_jaxpr",
    "remat2": "jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
}
# Functions with an infinite derivative at the edge of their domain.
_STEEP = {"sqrt", "rsqrt", "log", "log1p", "pow", "cbrt"}


class TracedArray:
    """An array, and the functions of `_STEEP` that returned it or took it as an argument.

    JAX computes the derivative of such a function from divisions and powers, and does not record
    which function they belong to. The functions of their operands show it.
    """

    def __init__(self, array: Array, function: str = "") -> None:
        self.array = array
        self.steep_functions = {function} & _STEEP


def to_value(array: Array) -> Value:
    """Converts an array for the log; a sparse array to its stored elements."""
    if isinstance(array, JAXSparse):
        return to_value(array.data)
    dtype = jnp.result_type(array)
    if not jnp.issubdtype(dtype, jnp.inexact):
        return Value(id(array), None, str(dtype), array)
    numbers = np.asarray(array)
    # NumPy has no bfloat16: such an array has the dtype kind "V" (raw bytes).
    wide = numbers.astype(np.float32) if numbers.dtype.kind == "V" else numbers
    return Value(id(array), wide, str(dtype), array)


class JaxprInterpreter:
    """Evaluates jaxprs, including those inside of equations.

    Args:
        log: Receives each equation with a non-finite result.
        location: Returns the location of an equation by its name stack.
    """

    def __init__(self, log: NonFiniteOpLog, location: Callable[[str], OpLocation]) -> None:
        self._log = log
        self._location = location

    def run(
        self, closed_jaxpr: ClosedJaxpr, arguments: Sequence[TracedArray], name_stack: str = ""
    ) -> list[TracedArray]:
        """Returns the results of a jaxpr that is called under `name_stack`."""
        jaxpr = closed_jaxpr.jaxpr
        env: dict[Atom, TracedArray] = dict(
            zip(jaxpr.constvars, map(TracedArray, closed_jaxpr.consts), strict=True)
        )
        env.update(zip(jaxpr.invars, arguments, strict=True))
        last_uses = _last_uses(jaxpr)
        for number, equation in enumerate(jaxpr.eqns):
            inputs = [_read(env, atom) for atom in equation.invars]
            stack = f"{name_stack}/{equation.source_info.name_stack}"
            env.update(
                zip(equation.outvars, self._run_equation(equation, inputs, stack), strict=True)
            )
            for variable in last_uses.get(number, ()):
                del env[variable]
        return [_read(env, atom) for atom in jaxpr.outvars]

    def _run_equation(
        self, equation: Any, inputs: Sequence[TracedArray], name_stack: str
    ) -> list[TracedArray]:
        name, params = equation.primitive.name, equation.params
        if name in _CALL_PRIMITIVES:
            return self.run(_closed(params[_CALL_PRIMITIVES[name]]), inputs, name_stack)
        if name == "cond":
            branch = params["branches"][int(inputs[0].array)]
            return self.run(branch, inputs[1:], name_stack)
        outputs = _bind(equation, inputs)
        if all(to_value(traced.array).is_finite for traced in outputs):
            _mark_steep(name, inputs)
            return outputs
        if name == "scan" and params["length"]:
            return self._unroll_scan(params, inputs, name_stack)
        self._log_operation(name, name_stack, inputs, outputs)
        return outputs

    def _log_operation(
        self,
        name: str,
        name_stack: str,
        inputs: Sequence[TracedArray],
        outputs: Sequence[TracedArray],
    ) -> None:
        input_values = [to_value(traced.array) for traced in inputs]
        output_values = [to_value(traced.array) for traced in outputs]
        differentiated = _differentiated_function(name, inputs)
        self._log.add_operation(
            name, self._location(name_stack), input_values, output_values, differentiated
        )
        _mark_steep(name, inputs)

    def _unroll_scan(
        self, params: Any, inputs: Sequence[TracedArray], name_stack: str
    ) -> list[TracedArray]:
        """Runs a loop again, one iteration at a time, to find the equation inside of it."""
        consts, carry = params["num_consts"], params["num_carry"]
        constants, state = inputs[:consts], list(inputs[consts : consts + carry])
        iterations = range(params["length"])
        rows: dict[int, list[TracedArray]] = {}
        for i in reversed(iterations) if params["reverse"] else iterations:
            slices = [self._slice(traced, i, name_stack) for traced in inputs[consts + carry :]]
            results = self.run(params["jaxpr"], [*constants, *state, *slices], name_stack)
            state, rows[i] = results[:carry], results[carry:]
        columns = zip(*(rows[i] for i in iterations), strict=True)
        return [*state, *(self._stack(column, name_stack) for column in columns)]

    def _slice(self, whole: TracedArray, index: int, name_stack: str) -> TracedArray:
        row = TracedArray(whole.array[index])
        self._log_if_nonfinite("slice", name_stack, [whole], row)
        return row

    def _stack(self, rows: Sequence[TracedArray], name_stack: str) -> TracedArray:
        whole = TracedArray(jnp.stack([traced.array for traced in rows]))
        self._log_if_nonfinite("stack", name_stack, rows, whole)
        return whole

    def _log_if_nonfinite(
        self, name: str, name_stack: str, inputs: Sequence[TracedArray], output: TracedArray
    ) -> None:
        if not to_value(output.array).is_finite:
            self._log_operation(name, name_stack, inputs, [output])


def _last_uses(jaxpr: Any) -> dict[int, list[Atom]]:
    """Returns, by number of the equation, the variables that no later equation reads.

    They are deleted after that equation, so that a large step does not keep all its arrays.
    """
    last = {
        atom: number
        for number, equation in enumerate(jaxpr.eqns)
        for atom in equation.invars
        if not isinstance(atom, Literal)
    }
    results = {atom for atom in jaxpr.outvars if not isinstance(atom, Literal)}
    last_uses: dict[int, list[Atom]] = {}
    for variable in last.keys() - results:
        last_uses.setdefault(last[variable], []).append(variable)
    return last_uses


def _closed(jaxpr: Any) -> ClosedJaxpr:
    return jaxpr if isinstance(jaxpr, ClosedJaxpr) else ClosedJaxpr(jaxpr, ())


def _read(env: dict[Atom, TracedArray], atom: Atom) -> TracedArray:
    return TracedArray(atom.val) if isinstance(atom, Literal) else env[atom]


def _bind(equation: Any, inputs: Sequence[TracedArray]) -> list[TracedArray]:
    """Runs one equation as a whole."""
    primitive = equation.primitive
    params = primitive.get_bind_params(equation.params)
    with equation.ctx.manager:
        results = primitive.bind(*(traced.array for traced in inputs), **params)
    outputs = results if primitive.multiple_results else [results]
    return [TracedArray(output, primitive.name) for output in outputs]


def _mark_steep(name: str, inputs: Sequence[TracedArray]) -> None:
    for traced in inputs:
        traced.steep_functions |= {name} & _STEEP


def _differentiated_function(name: str, inputs: Sequence[TracedArray]) -> str:
    """Returns the function of `_STEEP` whose derivative contains this division or power, or ""."""
    position = {"div": -1, "pow": 0}.get(name)
    return "" if position is None else min(inputs[position].steep_functions, default="")
