"""What a traced step leaves: the operations that gave a number that is not finite."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from keras_l4.forensics.tracing.operands import OperandSample, evidence
from keras_l4.forensics.tracing.operation_names import plain

Kind = Literal["data", "weights", "operation"]
Gradients = list[np.ndarray | None]


class OpLocation(NamedTuple):
    """Where an operation is run: in which part of the step, in the call of which layer."""

    phase: Literal["forward", "loss", "backward"]
    layer: str


class Value(NamedTuple):
    """A number array that an operation took or gave.

    Attributes:
        key: What tells it from all others; two views of the same numbers may share one.
        array: Its numbers, where they are floating; None for integers, and for what stands for a
            variable.
        dtype: The framework's; NumPy has no bfloat16.
        holder: Kept as long as the journal if the numbers are not finite, so that the key, which
            may be an address, is given to no other.
    """

    key: Hashable
    array: np.ndarray | None
    dtype: str
    holder: Any = None

    @property
    def is_finite(self) -> bool:
        """Whether all its numbers are; what has none is."""
        return self.array is None or bool(np.isfinite(self.array).all())

    @property
    def has_nan(self) -> bool:
        """Whether one of its numbers is NaN."""
        return self.array is not None and bool(np.isnan(self.array).any())


@dataclass(frozen=True)
class Node:
    """A source of numbers that are not finite, or an operation that gave some.

    Attributes:
        kind: Whether it is an operation, or what the step was given.
        name: Of the operation, in plain words; the key of the source otherwise.
        place: Where it was run.
        origins: The nodes whose numbers it took.
        is_deliberate: Whether the program wrote its infinities down: -Inf in a mask.
        differentiated: The operation that this one is the derivative of; "" where unknown.
        evidence: The numbers; None for a source.
    """

    kind: Kind
    name: str
    place: OpLocation
    origins: tuple[int, ...] = ()
    is_deliberate: bool = False
    differentiated: str = ""
    evidence: OperandSample | None = None


@dataclass(frozen=True)
class StepTrace:
    """One step, and how what is not finite came to the loss, the gradients and the state.

    Attributes:
        nodes: In the order in which they were run; sources come first.
        loss: Without the loss scale.
        gradients: Of the scaled loss, in the order of the trainable variables; None where the
            loss does not depend on one.
        loss_scale: What the loss was multiplied by, 1 for nothing.
        loss_origins: The nodes whose numbers the loss and the new state hold.
        gradient_origins: Those that the gradients and the scaled loss hold.
    """

    nodes: tuple[Node, ...]
    loss: float
    gradients: Gradients
    loss_scale: float
    loss_origins: tuple[int, ...]
    gradient_origins: tuple[int, ...]


class NonFiniteOpLog:
    """Writes down what is not finite, as the step runs."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._made_by: dict[Hashable, int] = {}
        self._held: list[Any] = []

    def source(self, kind: Kind, name: str, value: Value) -> None:
        """What the step is given, if it is not finite."""
        if not value.is_finite:
            self._enter(Node(kind, name, OpLocation("forward", "")), [value])

    def operation(
        self,
        name: str,
        place: OpLocation,
        inputs: Sequence[Value],
        outputs: Sequence[Value],
        differentiated: str = "",
    ) -> None:
        """An operation that was run, if it gave what is not finite.

        Args:
            name: As the framework calls it.
            place: Where it was run.
            inputs: What it took, as it was before.
            outputs: What it gave.
            differentiated: What the framework calls the operation that it is the derivative of.
        """
        broken = [value for value in outputs if not value.is_finite]
        if not broken:
            return
        origins = self.origins(inputs)
        self._enter(
            Node(
                "operation",
                plain(name),
                place,
                origins,
                self._is_deliberate(origins, inputs, broken),
                plain(differentiated),
                evidence(plain(name), inputs, broken[0]),
            ),
            broken,
        )

    def origins(self, values: Sequence[Value]) -> tuple[int, ...]:
        """The nodes whose numbers the values hold, or the variables that they stand for."""
        made = [
            self._made_by.get(value.key)
            for value in values
            if value.array is None or not value.is_finite
        ]
        return tuple(dict.fromkeys(index for index in made if index is not None))

    def changed(self, values: Sequence[Value]) -> tuple[int, ...]:
        """`origins`, without those values that the step left as it was given them."""
        return tuple(i for i in self.origins(values) if self.nodes[i].kind == "operation")

    def _enter(self, node: Node, values: Sequence[Value]) -> None:
        for value in values:
            self._made_by[value.key] = len(self.nodes)
            self._held.append(value.holder)
        self.nodes.append(node)

    def _is_deliberate(
        self, origins: Sequence[int], inputs: Sequence[Value], broken: Sequence[Value]
    ) -> bool:
        written = bool(origins) or not inputs or not all(value.is_finite for value in inputs)
        return (
            written
            and not any(value.has_nan for value in broken)
            and all(self.nodes[i].is_deliberate for i in origins)
        )
