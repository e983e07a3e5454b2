"""JAX: solves the equations of a step one by one, and writes down what they give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.experimental.sparse import JAXSparse
from jax.extend.core import ClosedJaxpr, Literal

from keras_l4.forensics.tracing.log import NonFiniteOpLog, OpLocation, Value

# These stand for the equations that they hold, under this name.
_HOLDING = {
    "jit": "jaxpr",
    "closed_call": "call_jaxpr",
    "remat2": "jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
}
# Functions with an infinite derivative at the edge of where they are defined.
_STEEP = {"sqrt", "rsqrt", "log", "log1p", "pow", "cbrt"}


class TracedArray:
    """An array, and which steep functions gave it or took it.

    The derivative of one is made of plain divisions and powers, which JAX does not say the
    origin of.
    """

    def __init__(self, array: Any, function: str = "") -> None:
        self.array = array
        self.functions = {function} & _STEEP


def value(array: Any) -> Value:
    """As the journal takes it; of a sparse array what is stored."""
    if isinstance(array, JAXSparse):
        return value(array.data)
    dtype = jnp.result_type(array)
    if not jnp.issubdtype(dtype, jnp.inexact):
        return Value(id(array), None, str(dtype), array)
    numbers = np.asarray(array)
    # To NumPy, bfloat16 is no kind of number.
    wide = numbers.astype(np.float32) if numbers.dtype.kind == "V" else numbers
    return Value(id(array), wide, str(dtype), array)


class Equations:
    """Solves equations, those within equations too.

    Args:
        journal: Takes each that gives what is not finite.
        place: Where the equation under these scopes stood.
    """

    def __init__(self, journal: NonFiniteOpLog, place: Callable[[str], OpLocation]) -> None:
        self._journal = journal
        self._place = place

    def solve(
        self, program: Any, arguments: Sequence[TracedArray], scopes: str = ""
    ) -> list[TracedArray]:
        """The results of `program`, a `ClosedJaxpr`, under these scopes."""
        jaxpr = program.jaxpr
        env: dict[Any, TracedArray] = dict(
            zip(jaxpr.constvars, map(TracedArray, program.consts), strict=True)
        )
        env.update(zip(jaxpr.invars, arguments, strict=True))
        dying = _last_uses(jaxpr)
        for number, equation in enumerate(jaxpr.eqns):
            inputs = [_read(env, atom) for atom in equation.invars]
            outputs = self._solved(equation, inputs, f"{scopes}/{equation.source_info.name_stack}")
            env.update(zip(equation.outvars, outputs, strict=True))
            for variable in dying.get(number, ()):
                del env[variable]
        return [_read(env, atom) for atom in jaxpr.outvars]

    def _solved(
        self, equation: Any, inputs: Sequence[TracedArray], scopes: str
    ) -> list[TracedArray]:
        name, params = equation.primitive.name, equation.params
        if name in _HOLDING:
            return self.solve(_closed(params[_HOLDING[name]]), inputs, scopes)
        if name == "cond":
            taken = params["branches"][int(inputs[0].array)]
            return self.solve(taken, inputs[1:], scopes)
        outputs = _evaluated(equation, inputs)
        if all(value(held.array).is_finite for held in outputs):
            _remember(name, inputs)
            return outputs
        if name == "scan" and params["length"]:
            return self._scan(params, inputs, scopes)
        self._write(name, scopes, inputs, outputs)
        return outputs

    def _write(
        self, name: str, scopes: str, inputs: Sequence[TracedArray], outputs: Sequence[TracedArray]
    ) -> None:
        taken, given = ([value(held.array) for held in part] for part in (inputs, outputs))
        function = _differentiated(name, inputs)
        self._journal.operation(name, self._place(scopes), taken, given, function)
        _remember(name, inputs)

    def _scan(self, params: Any, inputs: Sequence[TracedArray], scopes: str) -> list[TracedArray]:
        """The loop once more, each turn by itself."""
        consts, carry = params["num_consts"], params["num_carry"]
        constants, state = inputs[:consts], list(inputs[consts : consts + carry])
        turns = range(params["length"])
        rows: dict[int, list[TracedArray]] = {}
        for turn in reversed(turns) if params["reverse"] else turns:
            slices = [self._row(held, turn, scopes) for held in inputs[consts + carry :]]
            given = self.solve(params["jaxpr"], [*constants, *state, *slices], scopes)
            state, rows[turn] = given[:carry], given[carry:]
        columns = zip(*(rows[turn] for turn in turns), strict=True)
        return [*state, *(self._stacked(column, scopes) for column in columns)]

    def _row(self, whole: TracedArray, turn: int, scopes: str) -> TracedArray:
        row = TracedArray(whole.array[turn])
        self._write_if_broken("slice", scopes, [whole], row)
        return row

    def _stacked(self, rows: Sequence[TracedArray], scopes: str) -> TracedArray:
        whole = TracedArray(jnp.stack([held.array for held in rows]))
        self._write_if_broken("stack", scopes, rows, whole)
        return whole

    def _write_if_broken(
        self, name: str, scopes: str, inputs: Sequence[TracedArray], output: TracedArray
    ) -> None:
        if not value(output.array).is_finite:
            self._write(name, scopes, inputs, [output])


def _last_uses(jaxpr: Any) -> dict[int, list[Any]]:
    """By the number of an equation, the variables that are not needed after it."""
    last = {
        atom: number
        for number, equation in enumerate(jaxpr.eqns)
        for atom in equation.invars
        if not isinstance(atom, Literal)
    }
    needed = {atom for atom in jaxpr.outvars if not isinstance(atom, Literal)}
    dying: dict[int, list[Any]] = {}
    for variable in last.keys() - needed:
        dying.setdefault(last[variable], []).append(variable)
    return dying


def _closed(program: Any) -> Any:
    return program if isinstance(program, ClosedJaxpr) else ClosedJaxpr(program, ())


def _read(env: dict[Any, TracedArray], atom: Any) -> TracedArray:
    return TracedArray(atom.val) if isinstance(atom, Literal) else env[atom]


def _evaluated(equation: Any, inputs: Sequence[TracedArray]) -> list[TracedArray]:
    primitive = equation.primitive
    params = primitive.get_bind_params(equation.params)
    with equation.ctx.manager:
        results = primitive.bind(*(held.array for held in inputs), **params)
    several = results if primitive.multiple_results else [results]
    return [TracedArray(result, primitive.name) for result in several]


def _remember(name: str, inputs: Sequence[TracedArray]) -> None:
    for held in inputs:
        held.functions |= {name} & _STEEP


def _differentiated(name: str, inputs: Sequence[TracedArray]) -> str:
    """The steep function whose derivative this division or power is; "" where it is none's."""
    known = inputs[-1].functions if name == "div" else inputs[0].functions if name == "pow" else ()
    return min(known, default="")
